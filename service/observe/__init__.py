"""What is known of requests: their records, counts, log lines and traces."""
