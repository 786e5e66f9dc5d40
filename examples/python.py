# Streams one answer. Usage: pip install openai; WEIR_API_KEY=sk-weir-... python examples/python.py [QUESTION]
import os
import sys

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("WEIR_BASE_URL", "http://127.0.0.1:8080/v1"),
    api_key=os.environ["WEIR_API_KEY"],
)
stream = client.chat.completions.create(
    model=os.environ.get("WEIR_MODEL", "simulator"),
    messages=[{"role": "user", "content": " ".join(sys.argv[1:]) or "Hello"}],
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n{chunk.usage.prompt_tokens} tokens in, {chunk.usage.completion_tokens} out")
