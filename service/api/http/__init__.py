"""What every call shares: reading requests, writing answers, refusing; Flask and nothing of a call's own."""
