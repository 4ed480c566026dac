"""Wire formats: OpenAI's and Anthropic's requests to queries, events and answers to their bytes. No web framework."""
