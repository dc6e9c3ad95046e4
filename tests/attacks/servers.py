"""Servers that refuse every field but those that they take, in the words of public reports, and what fits them.

`fitted` is the only place that knows how the product is told: fit it to the options that come to be.
"""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from searchkit import Params
from searchkit.generators import OpenAI
from tests.attacks.hostile import Asked, case, completion, http

BASE = {"model", "messages", "temperature", "top_p", "max_tokens", "stop", "seed", "stream", "stream_options", "n"}

PARAMS = Params(temperature=0.7, max_tokens=16, stop=("END",))


@dataclass(frozen=True)
class Strict:
    """A server: fields that it takes, its words with {field}, and what its preset leaves out, renames, adds.

    rename is from the classic name of the OpenAI API, whatever the product sends by itself.
    required: fields that must be there; wanted: headers that must be there; query: what must be in the target.
    """

    name: str
    takes: frozenset[str]
    words: str
    status: str = "400 Bad Request"
    shape: str = "openai"
    leave_out: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, Any], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    forbidden: tuple[str, ...] = ()
    apart: tuple[str, str] | None = None
    least: tuple[str, float, float] | None = None
    required: tuple[str, ...] = ()
    params: Params = PARAMS

    def refusal(self, asked: Asked) -> tuple[str, str, str] | None:
        """Status, field and words for what is wrong with a request; None: it is taken."""
        body = asked.body
        for name, value in self.query:
            if f"{name}={value}" not in asked.target:
                return "404 Not Found", name, "Resource not found"
        for name, _ in self.headers:
            if name.lower() not in asked.headers:
                return "401 Unauthorized", name, "Access denied due to invalid subscription key or wrong API endpoint."
        odd = [f for f in body if f in self.forbidden or (self.takes and f not in self.takes)]
        if self.apart and set(self.apart) <= set(body):
            odd.append(self.apart[1])
        if self.least and not self.least[1] < body.get(self.least[0], 0.5) < self.least[2]:
            odd.append(self.least[0])
        odd += [f for f in self.required if f not in body]
        return (self.status, odd[0], self.words.format(field=odd[0], all=", ".join(odd))) if odd else None

    def __call__(self, asked: Asked) -> bytes:
        if not (found := self.refusal(asked)):
            return http(completion())
        status, field, words = found
        return http(shaped(self.shape, words, field), status)


def shaped(shape: str, words: str, field: str) -> Any:
    """The refusal as that server writes it."""
    if shape == "mistral":
        return {"detail": [{"type": "extra_forbidden", "loc": ["body", field], "msg": words, "input": None}]}
    if shape == "gemini":
        violations = [{"description": words}]
        return [
            {
                "error": {
                    "code": 400,
                    "message": words,
                    "status": "INVALID_ARGUMENT",
                    "details": [{"fieldViolations": violations}],
                }
            }
        ]
    if shape == "tgi":
        return {"error": words, "error_type": "validation"}
    if shape == "detail":
        return {"detail": words}
    if shape == "ollama":
        return {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}
    return {
        "error": {"message": words, "type": "invalid_request_error", "param": field, "code": "unsupported_parameter"}
    }


def fitted(url: str, strict: Strict) -> OpenAI:
    """The backend for this server: leave out, rename and add fields; headers; query parameters."""
    options: dict[str, Any] = {
        "leave_out": strict.leave_out,
        "rename": dict(strict.rename),
        "extra_body": dict(strict.add),
        "extra_headers": dict(strict.headers),
        "extra_query": dict(strict.query),
    }
    return OpenAI(url, "m", extras=False, **{name: value for name, value in options.items() if value})


UNSUPPORTED = "Unsupported parameter: '{field}' is not supported with this model."
REASONING = frozenset({"model", "messages", "max_completion_tokens", "seed", "stream", "reasoning_effort", "n"})
SAMPLING = ("temperature", "top_p", "stop")
COMPLETION_TOKENS = (("max_tokens", "max_completion_tokens"),)
EXTRA = "Extra inputs are not permitted"

STRICT = [
    # ITSpecialist111/ai_automation_suggester#38, crewAIInc/crewAI#2738, aandrew-me/tgpt#333, gabrii/Cursor-Azure-GPT-5#33
    Strict("openai-o1", REASONING, UNSUPPORTED, leave_out=SAMPLING, rename=COMPLETION_TOKENS),
    Strict("openai-o1-effort", REASONING, UNSUPPORTED, leave_out=SAMPLING, rename=COMPLETION_TOKENS, add=(("reasoning_effort", "low"),), required=("reasoning_effort",)),
    # griptape-ai/ComfyUI-Griptape#312: GPT-5 takes a stop, and temperature 1 alone
    Strict("openai-gpt-5", REASONING | {"top_p"}, "Unsupported value: '{field}' does not support 0.7 with this model. Only the default (1) value is supported.", leave_out=("temperature", "stop"), rename=COMPLETION_TOKENS),
    # caozhiyuan/copilot-api#164
    Strict("copilot", REASONING | {"temperature", "top_p", "stop"}, "Unsupported parameter: '{field}' is not supported with this model. Use 'max_completion_tokens' instead.", rename=COMPLETION_TOKENS),
    # openai/openai-python#1308, ThinkInAIXYZ/deepchat#262, MicrosoftDocs/azure-docs#114602
    Strict("azure", frozenset(BASE), "Unrecognized request argument supplied: {field}", headers=(("api-key", "k"),), query=(("api-version", "2024-10-21"),)),
    # OpenHands/OpenHands#6777, quarkiverse/quarkus-langchain4j#285
    Strict("azure-old", frozenset(BASE - {"seed", "stream_options"}), "Unrecognized request arguments supplied: {all}", leave_out=("seed",), headers=(("api-key", "k"),), query=(("api-version", "2023-05-15"),)),
    Strict("azure-reasoning", REASONING, UNSUPPORTED, leave_out=SAMPLING, rename=COMPLETION_TOKENS, headers=(("api-key", "k"),), query=(("api-version", "2025-01-01-preview"),)),
    # jekalmin/extended_openai_conversation#428, skydiscover-ai/skydiscover#15, anomalyco/opencode#28930
    Strict("claude", frozenset(BASE), "`temperature` and `top_p` cannot both be specified for this model. Please use only one.", leave_out=("top_p",), apart=("temperature", "top_p")),
    Strict("claude-without-a-seed", frozenset(BASE - {"seed"}), "{field}: Extra inputs are not permitted", leave_out=("top_p", "seed"), apart=("temperature", "top_p")),
    # Vali-98/ChatterUI#227, algorithmicsuperintelligence/openevolve#105, MinLL/SkyrimNet-GamePlugin#77
    Strict("gemini", frozenset(BASE - {"seed"}), 'Invalid JSON payload received. Unknown name "{field}": Cannot find field.', shape="gemini", leave_out=("seed",)),
    # GoogleCloudPlatform/vertex-ai-samples#3515
    Strict("vertex-llama", frozenset(BASE - {"stop"}), "Unable to submit request because the model does not support the stopSequences parameter.", shape="gemini", leave_out=("stop",), forbidden=("stop",)),
    # argilla-io/synthetic-data-generator#48, huggingface/text-generation-inference#2222
    Strict("tgi", frozenset(BASE), "Input validation error: `top_p` must be > 0.0 and < 1.0", "422 Unprocessable Entity", "tgi", leave_out=("top_p",), least=("top_p", 0.0, 1.0)),
    # what `transformers serve` says of fields beyond its own list (no issue number)
    Strict("transformers-serve", frozenset(BASE - {"n"}), "Unsupported fields in the request: {{'{field}'}}", "422 Unprocessable Entity", "detail", leave_out=("seed", "stop"), forbidden=("seed", "stop")),
    # Gitlawb/openclaude#739, partITech/php-mistral#76
    Strict("mistral", frozenset(BASE - {"seed"} | {"random_seed"}), EXTRA, "422 Unprocessable Entity", "mistral", rename=(("seed", "random_seed"),), required=("random_seed",)),
    Strict("mistral-left-out", frozenset(BASE - {"seed"}), EXTRA, "422 Unprocessable Entity", "mistral", leave_out=("seed",)),
    # carlrobertoh/ProxyAI#907 has DeepSeek's wording of bodies that it does not take
    Strict("deepseek", frozenset(BASE - {"seed"}), "Failed to deserialize the JSON body into the target type: unknown field `{field}`", "422 Unprocessable Entity", leave_out=("seed",)),
    Strict("ollama", frozenset(BASE | {"options"}), "json: unknown field \"{field}\"", shape="ollama", add=(("options", {"num_ctx": 8192}),), required=("options",)),
    # ggml-org/llama.cpp#20861: thinking switched off through the template
    Strict("llama-cpp", frozenset(BASE | {"chat_template_kwargs"}), "Unsupported param: {field}", shape="ollama", add=(("chat_template_kwargs", {"enable_thinking": False}),), required=("chat_template_kwargs",)),
    # fanenr/chatbot#21, immersive-translate/immersive-translate#3016, CherryHQ/cherry-studio#11435
    Strict("groq", frozenset(BASE), "property '{field}' is unsupported", rename=()),
    Strict("groq-new", frozenset(BASE - {"max_tokens"} | {"max_completion_tokens"}), "property '{field}' is unsupported, did you mean 'max_completion_tokens'?", rename=COMPLETION_TOKENS),
    # Kilo-Org/kilocode#10375 (Cerebras)
    Strict("cerebras", frozenset(BASE - {"max_tokens", "n"} | {"max_completion_tokens"}), "property '{field}' is unsupported", rename=COMPLETION_TOKENS),
    # vllm-project/vllm#3657: early vLLM refused what it did not know
    Strict("vllm-early", frozenset(BASE), "[{{'type': 'extra_forbidden', 'loc': ('body', '{field}'), 'msg': 'Extra inputs are not permitted'}}]"),
    Strict("gateway-with-a-header", frozenset(BASE), "{field} is not allowed", headers=(("x-portkey-provider", "openai"), ("x-tenant", "a b"))),
    Strict("gateway-with-a-query", frozenset(BASE), "{field} is not allowed", query=(("key", "abc"), ("tenant", "7"))),
]  # fmt: skip


def refused(message: str, shape: str = "openai", field: str = "top_k", status: str = "400 Bad Request") -> Any:
    return case(
        f"{shape}-{field}-{message.split()[0].strip(chr(39))[:12]}-{len(message)}",
        field,
        status,
        shaped(shape, message, field),
    )


BAD = "422 Unprocessable Entity"
# Fields that we add beyond the OpenAI API, named by refusals: the field, the status and the body.
AUTOMATIC = [
    refused("Unrecognized request argument supplied: top_k"),
    refused("Unrecognized request arguments supplied: top_k, min_p"),
    refused("Unknown parameter: 'top_k'."),
    refused("property 'top_k' is unsupported"),
    refused("property 'top_k' is unsupported, did you mean 'top_p'?"),
    refused("Unsupported parameter: 'min_p' is not supported with this model.", field="min_p"),
    refused(EXTRA, "mistral", "top_k", BAD),
    refused(EXTRA, "mistral", "min_p", BAD),
    refused(EXTRA, "mistral", "include_stop_str_in_output", BAD),
    refused(EXTRA, "mistral", "no_stop_trim", BAD),
    refused('Invalid JSON payload received. Unknown name "top_k": Cannot find field.', "gemini"),
    refused('Invalid JSON payload received. Unknown name "min_p": Cannot find field.', "gemini", "min_p"),
    refused("top_k: Extra inputs are not permitted"),
    refused("Input validation error: `top_k` must be strictly positive", "tgi", "top_k", BAD),
    refused("Unsupported fields in the request: {'top_k'}", "detail", "top_k", BAD),
    refused("Failed to deserialize the JSON body into the target type: unknown field `min_p`", "openai", "min_p", BAD),
    refused('json: unknown field "top_k"', "ollama"),
    refused("Unsupported param: include_stop_str_in_output", "ollama", "include_stop_str_in_output"),
    refused("top_k must be -1 (disable), or at least 1, got -1", "ollama"),
    refused("Argument not supported on this model: min_p", "ollama", "min_p"),
    refused("body.no_stop_trim is not allowed", "detail", "no_stop_trim"),
    refused("litellm.UnsupportedParamsError: openai does not support parameters: ['top_k'], for model=m"),
]
