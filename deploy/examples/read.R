# Rscript read.R picture.png
# Debian: r-base-core r-cran-httr2 r-cran-jsonlite; elsewhere install.packages(c("httr2", "jsonlite"))
library(httr2)

service <- "http://127.0.0.1:8000"

# The answer of a call on a picture file; an error with the service's own words where it refuses.
ask <- function(call, file, ...) {
  answer <- request(service) |>
    req_url_path_append("v1", call) |>
    req_url_query(...) |>
    req_body_raw(readBin(file, "raw", file.size(file)), type = "application/octet-stream") |>
    req_retry(max_tries = 3) |> # waits as long as Retry-After says
    req_error(is_error = function(response) FALSE) |>
    req_perform()
  body <- resp_body_json(answer, check_type = FALSE, simplifyVector = TRUE, simplifyDataFrame = FALSE)
  if (resp_is_error(answer)) stop(body$detail, call. = FALSE)
  body$results[[1]]
}

file <- commandArgs(trailingOnly = TRUE)[1]

verdict <- ask("classify", file)
cat(sprintf("%d, %.1f %%\n", verdict$digit, 100 * verdict$confidence))

# What each filter of the first layer responded to: a matrix each, here with its largest value.
layer <- ask("feature-maps", file, layers = "conv1")$layers[[1]]
maps <- lapply(layer$filters, function(filter) filter$map)
cat(sprintf("%s: %d maps of %d x %d\n", layer$name, length(maps), nrow(maps[[1]]), ncol(maps[[1]])))
cat("strongest filter:", which.max(sapply(maps, max)) - 1, "\n")
