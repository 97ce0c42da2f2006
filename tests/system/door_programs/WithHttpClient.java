import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class WithHttpClient {
    public static void main(String[] arguments) throws Exception {
        String body = "client_id=client-of-the-program&client_secret=secret-of-the-program";
        HttpRequest request = HttpRequest.newBuilder(
                URI.create("https://production.deepvue.tech/v1/authorize"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
        HttpClient client = HttpClient.newHttpClient();
        String answer = client.send(request, HttpResponse.BodyHandlers.ofString()).body();
        System.out.println("token " + answer.contains("access_token"));
    }
}
