"""Completes a folder that has g2p-en's checkpoint20.npz by what its code knows besides the numbers.

In:  the folder, as the one argument.
Out: in it, tokenizer.json (letters to ids, `</s>` at the end), target_tokenizer.json (sounds, from and to ids) and
     generation_config.json (the first token, the last one, and how many there may be). The archive stays as it is.

The tables are those of the package's G2p class: letters, and the sounds of the CMU Pronouncing Dictionary with their stress.
"""

import sys

from checkpoint_files import word_level_tokenizer, write_json

LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
SOUNDS = ["<pad>", "<unk>", "<s>", "</s>"] + """
    AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1 EY2
    F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH
""".split()

if __name__ == "__main__":
    folder = sys.argv[1]
    letters = word_level_tokenizer(
        LETTERS, special=LETTERS[:3], pieces=".", after=["</s>"], normalizer={"type": "Lowercase"}, joined=True
    )
    sounds = word_level_tokenizer(SOUNDS, special=SOUNDS[:4], before=["<s>"])
    write_json(f"{folder}/tokenizer.json", letters)
    write_json(f"{folder}/target_tokenizer.json", sounds)
    write_json(
        f"{folder}/generation_config.json",
        {"decoder_start_token_id": SOUNDS.index("<s>"), "eos_token_id": SOUNDS.index("</s>"), "max_new_tokens": 20},
    )
