"""Flask over the core: read a request, call inwards, write the answer; one blueprint per noun."""
