"""What the providers of API models share: connections, server-sent events, and failures in the words of our errors."""
