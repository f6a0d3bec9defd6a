// openapi-generator's Java, library native: files first, structures as JSON text, unions as Object.
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.DigitsApi;
import org.openapitools.client.api.FiltersApi;
import org.openapitools.client.model.*;

public class Use {
    interface Call {
        void run(ApiClient client) throws ApiException;
    }

    static String address;

    static ApiClient client() {
        return new ApiClient().setScheme("http").setHost(address.split(":")[0]).setPort(Integer.parseInt(address.split(":")[1]));
    }

    // Its methods read one kind of answer, JSON; another is taken as it comes, before they fail to read it.
    static byte[] bytes(Call call) {
        ByteArrayOutputStream taken = new ByteArrayOutputStream();
        ApiClient client = client().setResponseInterceptor(response -> take(response, taken));
        try {
            call.run(client);
        } catch (ApiException e) {
            if (e.getCode() != 0) throw new IllegalStateException(e);
        }
        return taken.toByteArray();
    }

    static void take(HttpResponse<java.io.InputStream> response, ByteArrayOutputStream taken) {
        try {
            if (response.statusCode() == 200) response.body().transferTo(taken);
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    public static void main(String[] words) throws Exception {
        address = words[0];
        File[] files = new File(words[1]).listFiles();
        Path results = Path.of(words[2]);
        Arrays.sort(files);
        DigitsApi digits = new DigitsApi(client());
        FiltersApi filters = new FiltersApi(client());

        for (File file : files) {
            Classifications read = digits.classify(List.of(file), null, true, null, null, null, null, null, null);
            System.out.println("classify " + read.getResults().get(0).getDigit());
        }
        List<File> image = List.of(files[0]);

        FeatureMaps maps = digits.computeFeatureMaps(
            image, List.of("conv1"), List.of(0L, 5L), null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
        System.out.println("feature-maps " + maps.getResults().get(0).getLayers().get(0).getFilters().size());

        List<String> layers = List.of("conv1", "pool1");
        byte[] npz = bytes(client -> new DigitsApi(client).computeFeatureMaps(
            image, layers, null, null, null, null, null, null, null, null, Format.NPZ, null, null, null, null, null, null, null));
        System.out.println("npz " + npz[0]);

        byte[] png = bytes(client -> new DigitsApi(client).computeFeatureMaps(
            image, layers, null, null, null, null, null, null, null, null, Format.PNG, null, null, null, null, null, null, null));
        Files.write(results.resolve("maps.png"), png);

        String bank = "[{\"preset\":\"sobel\"},{\"weights\":[[1,-1]]}]";
        AppliedFilters applied = filters.applyFilters(
            image, bank, List.of(2, 2), null, "same", null, null, null, null, null, null, null, null, null, null, null, null,
            null, null, null, null, null, null, null, null, null, null);
        List<AppliedFilter> answers = applied.getResults().get(0).getFilters();
        System.out.println("apply-filters " + answers.size() + " " + ((List<?>) answers.get(1).getResponse()).size());

        byte[] saved = bytes(client -> new FiltersApi(client).applyFilters(
            image, bank, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
            null, Format.NPZ, null, null, null, null, null, null, null, null));
        Files.write(results.resolve("bank.npz"), saved);

        Explanations why = digits.explain(
            image, Method.LEDGER, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
            null, null, null, null, null, null, null, null, null, null);
        LedgerExplanation ledger = why.getResults().get(0).getLedgerExplanation();
        System.out.println("explain " + ledger.getShares().getFilters().size());

        String changes = "[{\"layer\":\"conv1\",\"filter\":3,\"action\":\"off\"}]";
        WhatIf edited = digits.compareWhatIf(image, changes, null, null, null, null, null, null, null, null, null);
        System.out.println("what-if " + edited.getResults().get(0).getBefore().getDigit());
    }
}
