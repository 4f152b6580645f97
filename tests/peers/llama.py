"""A language model kept in 4 bits, SmolLM2-135M as a GGUF file, in llama.cpp.

llama.cpp is asked through llama-cpp-python, whose calls cost microseconds. By itself it computes the logits of a
prompt's last position alone; seqc computes all of them. So the prompt is there twice: with what each does, and with
all logits in both.

Q4_1 keeps blocks of 32 weights in 4 bits. llama.cpp multiplies them with activations that it rounds to 8 bits, and so does
seqc where it is told to (16 where not), each in its own blocks: numbers differ. Held against each other are the logits of the last position, by their
cosine and by which is the largest, that is by the token that is written.
"""

import importlib.util

import numpy
from safetensors.numpy import save_file

import agreement
import candle
from transformers_rows import published

FILE = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NEAR = agreement.Alike(0.999)


class LlamaCpp:
    """llama.cpp with the model loaded."""

    def __init__(self, file, threads, context, every):
        import llama_cpp

        self.library = llama_cpp
        sizes = {"n_ctx": context, "n_batch": 512, "n_threads": threads, "n_threads_batch": threads}
        self.model = llama_cpp.Llama(str(file), **sizes, logits_all=every, verbose=False)
        self.every = every

    def after(self, kept, tokens):
        """The logits after so many tokens of those before, and these."""
        self.model.n_tokens = kept
        self.model.eval(tokens)
        width = self.model.n_vocab()
        if self.every:
            return self.model.scores[kept : kept + len(tokens)]
        last = self.library.llama_get_logits_ith(self.model.ctx, -1)
        return numpy.ctypeslib.as_array(last, (width,))


def prepare(row, length):
    """A prompt of random words, and llama.cpp's logits of it and of its last word once more."""
    row.file, row.checkpoint = "examples/llama.seq", published(FILE)
    tokens = numpy.random.default_rng(1).integers(100, 40000, length).tolist()
    given, after = {"in.tokens": numpy.array([tokens], dtype=numpy.int64)}, None
    if importlib.util.find_spec("llama_cpp"):
        logits = LlamaCpp(row.checkpoint, row.threads, 2 * length, True).after(0, tokens + tokens[-1:])
        row.expected, after = logits[:length].copy(), logits[length:].copy()
        given["out.logits"] = row.expected[None]
    save_file(given, row.io)
    row.rule, row.seqc, row.more = NEAR, agreement.saved, ["--activations", "8"]
    return tokens, after


def prompt(row, length, every):
    """The prompt."""
    tokens, _ = prepare(row, length)

    def llama_cpp():
        model = LlamaCpp(row.checkpoint, row.threads, 2 * length, every)
        return lambda: model.after(0, tokens)

    row.peer("llama.cpp", llama_cpp, package="llama_cpp")
    if not every:  # It has the last position's alone.
        candle.peer(row, "llama")


def token(row, length):
    """One token after the prompt, which is its last once more."""
    tokens, row.expected = prepare(row, length)
    row.profile, row.seqc = ["--step"], agreement.and_step(row.seqc)

    def llama_cpp():
        model = LlamaCpp(row.checkpoint, row.threads, 2 * length, False)
        model.after(0, tokens)
        return lambda: model.after(length, tokens[-1:])

    row.peer("llama.cpp", llama_cpp, package="llama_cpp")
    candle.peer(row, "llama-token")
