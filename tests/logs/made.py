"""Logs written by hand, in the forms that their tools publish."""

from __future__ import annotations

import json
import zipfile


def lines(path, *rows):
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def inspect_sample(id=1, epoch=1, value="C", said="ANSWER: 42", **more):
    """A sample as Inspect has it, so far as it is read."""
    found = {
        "id": id, "epoch": epoch, "input": f"What is {id}?", "target": "42",
        "output": {"completion": said, "choices": [{"message": {"content": said}, "stop_reason": "stop"}]},
        "scores": {"match": {"value": value, "answer": "42", "explanation": said}},
        "model_usage": {"m": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}},
    }  # fmt: skip
    return found | more


HEADER = {
    "version": 2, "status": "success", "eval": {"model": "m"},
    "results": {"scores": [{"name": "match", "scorer": "match", "reducer": "mean",
                            "metrics": {"accuracy": {"name": "accuracy", "value": 0.5}}}]},
}  # fmt: skip


def eval_log(path, *samples, header=HEADER, compression=zipfile.ZIP_DEFLATED):
    """A log as a zip, samples in the order given."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("header.json", json.dumps(header))
        for one in samples:
            file.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
    return path


def harness_row(doc=0, resps=("The answer is 4",), filtered=("4",), exact_match=1.0, filter="first", **more):
    """A line of lm-evaluation-harness."""
    found = {
        "doc_id": doc, "doc": {}, "target": "4", "arguments": {"gen_args_0": {"arg_0": f"{doc}: 2+2?", "arg_1": {}}},
        "resps": [list(resps)], "filtered_resps": list(filtered), "filter": filter, "metrics": ["exact_match"],
        "doc_hash": "0", "prompt_hash": "0", "target_hash": "0", "exact_match": exact_match,
    }  # fmt: skip
    return found | more


def batch_row(custom, *texts, model="gpt", usage=(10, 8), **more):
    """A line of the batch API's output, with a choice a text."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for i, text in enumerate(texts)
    ]
    counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    body = {"id": "c", "object": "chat.completion", "model": model, "choices": choices, "usage": counted}
    answer = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": custom, "response": answer, "error": None} | more
