// A server that sends customers to Persona, and believes its signed webhooks.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Main {
    static final String PERSONA = "https://api.withpersona.com/api/v1";
    static final Pattern INQUIRY = Pattern.compile("\"id\":\\s*\"(inq_\\w+)\"");
    static final Pattern STATUS = Pattern.compile("\"status\":\\s*\"(\\w+)\"");
    static final HttpClient CLIENT = HttpClient.newHttpClient();
    static final Map<String, String> STATUSES = new ConcurrentHashMap<>();

    static void begin(HttpExchange exchange) throws Exception {
        String template = System.getenv("PERSONA_TEMPLATE_ID");
        String body = "{\"data\": {\"attributes\": {\"inquiry-template-id\": \"" + template + "\"}}}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(PERSONA + "/inquiries"))
            .header("Authorization", "Bearer " + System.getenv("PERSONA_API_KEY"))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
        HttpResponse<String> answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 201) throw new IOException("Persona answered " + answer.statusCode());
        reply(exchange, 200, find(INQUIRY, answer.body()));
    }

    static void receive(HttpExchange exchange) throws Exception {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        if (!isSigned(exchange.getRequestHeaders().getFirst("Persona-Signature"), body)) {
            reply(exchange, 401, "");
            return;
        }
        // Of inquiry.approved and the like, the inquiry is the only object with an id that begins so.
        String inquiry = find(INQUIRY, body);
        if (!inquiry.isEmpty()) STATUSES.put(inquiry, find(STATUS, body));
        reply(exchange, 200, "");
    }

    static boolean isSigned(String header, String body) throws Exception {
        String time = find(Pattern.compile("t=(\\d+)"), header == null ? "" : header);
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(System.getenv("PERSONA_WEBHOOK_SECRET").getBytes(), "HmacSHA256"));
        String expected = HexFormat.of().formatHex(mac.doFinal((time + "." + body).getBytes(StandardCharsets.UTF_8)));
        String given = find(Pattern.compile("v1=(\\w+)"), header == null ? "" : header);
        return MessageDigest.isEqual(expected.getBytes(), given.getBytes());
    }

    static void answerVerdict(HttpExchange exchange) throws IOException {
        String inquiry = exchange.getRequestURI().getQuery().replaceFirst("session=", "");
        reply(exchange, 200, "approved".equals(STATUSES.get(inquiry)) ? "yes" : "no");
    }

    static String find(Pattern pattern, String text) {
        var found = pattern.matcher(text);
        return found.find() ? found.group(1) : "";
    }

    static void reply(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes();
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        if (body.length > 0) exchange.getResponseBody().write(body);
        exchange.close();
    }

    interface Handler {
        void handle(HttpExchange exchange) throws Exception;
    }

    static void serve(HttpServer server, String path, Handler handler) {
        server.createContext(path, exchange -> {
            try {
                handler.handle(exchange);
            } catch (Exception error) {
                System.err.println(error);
                reply(exchange, 503, "later");
            }
        });
    }

    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(8000), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        serve(server, "/begin", Main::begin);
        serve(server, "/webhook", Main::receive);
        serve(server, "/verdict", Main::answerVerdict);
        server.start();
    }
}
