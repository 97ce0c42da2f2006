import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;

public class WithUrlConnection {
    public static void main(String[] arguments) throws Exception {
        URL url = new URL("https://production.deepvue.tech/v1/authorize");
        HttpURLConnection connection = (HttpURLConnection) url.openConnection();
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/x-www-form-urlencoded");
        try (OutputStream body = connection.getOutputStream()) {
            body.write("client_id=client-of-the-program&client_secret=secret-of-the-program".getBytes());
        }
        String answer = new String(connection.getInputStream().readAllBytes());
        System.out.println("token " + answer.contains("access_token"));
    }
}
