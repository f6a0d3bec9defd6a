import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;

/** Posts a picture in four forms by Java's own client, as it comes and told which HTTP to speak: a line each. */
public class Ask {
    public static void main(String[] arguments) throws Exception {
        byte[] picture = Files.readAllBytes(Path.of(arguments[1]));
        String url = "data:image/png;base64," + Base64.getMimeEncoder().encodeToString(picture);
        String json = "{\"image\": \"" + Base64.getEncoder().encodeToString(picture) + "\"}";
        for (HttpClient.Version version : new HttpClient.Version[] {null, HttpClient.Version.HTTP_2, HttpClient.Version.HTTP_1_1}) {
            HttpClient.Builder builder = HttpClient.newBuilder();
            HttpClient client = (version == null ? builder : builder.version(version)).build();
            for (int round = 0; round < 2; round++) {
                send(client, arguments[0], "image/png", BodyPublishers.ofByteArray(picture), false);
                send(client, arguments[0], "application/json", BodyPublishers.ofString(json), false);
                // Of unknown length: sent in chunks.
                send(client, arguments[0], "image/png",
                    BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(picture)), false);
                send(client, arguments[0], "image/png", BodyPublishers.ofByteArray(picture), true);
                send(client, arguments[0], "text/plain", BodyPublishers.ofString(url), false);
            }
        }
    }

    static void send(HttpClient client, String url, String type, HttpRequest.BodyPublisher body, boolean expects)
            throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
            .header("Content-Type", type).expectContinue(expects).POST(body).build();
        var response = client.send(request, BodyHandlers.ofString());
        System.out.println(response.statusCode() + " " + response.body());
    }
}
