#!/bin/sh
# Streams one answer. Usage: WEIR_API_KEY=sk-weir-... examples/curl.sh [QUESTION]
# The question must not hold a quote or a backslash: this script puts it into JSON as it is.
set -eu
curl --no-buffer --fail-with-body "${WEIR_BASE_URL:-http://127.0.0.1:8080/v1}/chat/completions" \
  -H "Authorization: Bearer $WEIR_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"model\":\"${WEIR_MODEL:-simulator}\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"${1:-Hello}\"}]}"
