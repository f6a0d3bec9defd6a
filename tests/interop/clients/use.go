// openapi-generator's Go: files first, structures as JSON text; an answer that is no JSON is read from the response.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	filterscope "github.com/GIT_USER_ID/GIT_REPO_ID"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// The client closes the files that it sends.
func open(path string) []*os.File {
	file, err := os.Open(path)
	check(err)
	return []*os.File{file}
}

// Its functions read one kind of answer, JSON, and give an error beside the response of another.
func whole(response *http.Response) []byte {
	if response == nil || response.StatusCode != http.StatusOK {
		panic("no answer")
	}
	bytes, err := io.ReadAll(response.Body)
	check(err)
	return bytes
}

func main() {
	address, folder, results := os.Args[1], os.Args[2], os.Args[3]
	settings := filterscope.NewConfiguration()
	settings.Servers = filterscope.ServerConfigurations{{URL: "http://" + address}}
	client := filterscope.NewAPIClient(settings)
	digits, filters, ctx := client.DigitsAPI, client.FiltersAPI, context.Background()

	files, err := filepath.Glob(filepath.Join(folder, "*.png"))
	check(err)
	for _, file := range files {
		read, _, err := digits.Classify(ctx).Image(open(file)).PreparedImage(true).Execute()
		check(err)
		fmt.Println("classify", read.Results[0].Digit)
	}
	file := files[0]

	maps, _, err := digits.ComputeFeatureMaps(ctx).Image(open(file)).Layers([]string{"conv1"}).Filters([]int64{0, 5}).Execute()
	check(err)
	fmt.Println("feature-maps", len(maps.Results[0].Layers[0].Filters))

	layers := []string{"conv1", "pool1"}
	_, npz, _ := digits.ComputeFeatureMaps(ctx).Image(open(file)).Layers(layers).Format(filterscope.FORMAT_NPZ).Execute()
	fmt.Println("npz", whole(npz)[0])

	_, png, _ := digits.ComputeFeatureMaps(ctx).Image(open(file)).Layers(layers).Format(filterscope.FORMAT_PNG).Execute()
	check(os.WriteFile(filepath.Join(results, "maps.png"), whole(png), 0o644))

	bank := `[{"preset":"sobel"},{"weights":[[1,-1]]}]`
	applied, _, err := filters.ApplyFilters(ctx).Image(open(file)).Filters(bank).Stride([]int32{2, 2}).Padding("same").Execute()
	check(err)
	rows := *applied.Results[0].Filters[1].Response.ArrayOfArrayOfFloat32
	fmt.Println("apply-filters", len(applied.Results[0].Filters), len(rows))

	_, saved, _ := filters.ApplyFilters(ctx).Image(open(file)).Filters(bank).Format(filterscope.FORMAT_NPZ).Execute()
	check(os.WriteFile(filepath.Join(results, "bank.npz"), whole(saved), 0o644))

	why, _, err := digits.Explain(ctx).Image(open(file)).Method(filterscope.METHOD_LEDGER).Execute()
	check(err)
	fmt.Println("explain", len(why.Results[0].LedgerExplanation.Shares.Filters))

	changes := `[{"layer":"conv1","filter":3,"action":"off"}]`
	edited, _, err := digits.CompareWhatIf(ctx).Image(open(file)).Changes(changes).Execute()
	check(err)
	fmt.Println("what-if", edited.Results[0].Before.Digit)
}
