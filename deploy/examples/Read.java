// java Read.java picture.png     (Java 17 or later; Debian: default-jdk-headless)

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Read {
    static final String SERVICE = "http://127.0.0.1:8000";
    static final HttpClient CLIENT = HttpClient.newHttpClient(); // keeps connections; one for the whole program
    static final int TRIES = 3;

    public static void main(String[] arguments) throws Exception {
        Path picture = Path.of(arguments[0]);
        String verdict = new String(ask("/v1/classify", picture));
        System.out.printf("%s, %.1f %%%n", member("digit", verdict), 100 * Double.parseDouble(member("confidence", verdict)));

        Path maps = Path.of("maps.png");
        Files.write(maps, ask("/v1/feature-maps?layers=conv1&format=png&polarity=pencil", picture));
        System.out.println("the maps of conv1 are in " + maps);
    }

    /** The answer of a call on a picture; sent again where the service is busy, an error where it refuses. */
    static byte[] ask(String call, Path picture) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(SERVICE + call))
                .header("Content-Type", "application/octet-stream")
                .POST(BodyPublishers.ofFile(picture))
                .build();
        for (int tried = 1;; tried++) {
            HttpResponse<byte[]> answer = CLIENT.send(request, BodyHandlers.ofByteArray());
            if (answer.statusCode() == 503 && tried < TRIES) {
                Thread.sleep(1000 * answer.headers().firstValueAsLong("Retry-After").orElse(1));
            } else if (answer.statusCode() >= 400) {
                throw new IllegalStateException(member("detail", new String(answer.body())));
            } else {
                return answer.body();
            }
        }
    }

    /** The first member of that name, as text. A program that reads more of an answer uses a library for JSON. */
    static String member(String name, String json) {
        Matcher found = Pattern.compile("\"" + name + "\":(?:\"((?:[^\"\\\\]|\\\\.)*)\"|([^,}\\]]+))").matcher(json);
        if (!found.find()) {
            throw new IllegalStateException("no " + name + " in " + json);
        }
        return found.group(1) != null ? found.group(1) : found.group(2);
    }
}
