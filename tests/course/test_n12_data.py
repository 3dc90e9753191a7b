"""The data of notebook 12."""

import io

import numpy as np
import torch
from real_copies import packed
from scipy.io import wavfile

from kdviz.course import n12_data


def test_the_labels_shown_are_those_of_the_rows_labelled():
    table = n12_data.cells(labels=40, seed=1)
    known = table.labels >= 0
    assert int(known.sum()) == len(table.labelled) == 40
    rows = {tuple(row.tolist()): int(label) for row, label in zip(*table.labelled.tensors, strict=True)}
    for row, label in zip(table.inputs[known], table.labels[known], strict=True):
        assert rows[tuple(row.tolist())] == int(label)
    assert torch.allclose(table.inputs.mean(0), torch.zeros(30), atol=1e-5)
    assert len(table.inputs) + len(table.test) == 569


def test_a_row_number_finds_its_row():
    table = n12_data.cells()
    inputs, labels, row = table.with_rows()[17]
    assert row == 17 and torch.equal(inputs, table.inputs[17]) and labels == table.labels[17]


def test_most_topic_words_of_a_sentence_are_its_topics():
    text = n12_data.sentences(seed=2, train=50, labelled=10, test=20)
    groups = [set(words.split()) for words in n12_data.TOPICS.values()]
    for tokens, label in zip(*text.train.tensors, strict=True):
        words = text.read(tokens).split()
        counts = [sum(word in group for word in words) for group in groups]
        assert len(words) == 8 and counts[label] == 3 and sorted(counts)[-2] == 2
    assert len(text.labelled) == 10 and len(text.test) == 20


def test_a_disc_is_bright_and_a_square_is_dark():
    pictures, labels = n12_data.shapes(60, seed=3)
    assert pictures.shape == (60, 1, 16, 16) and labels.unique().tolist() == [0, 1, 2]
    assert (labels == 2).flatten(1).sum(1).tolist() == [25] * 60
    means = [float(pictures[:, 0][labels == which].mean()) for which in (0, 1, 2)]
    assert abs(means[0]) < 0.1 and means[1] > 0.9 and means[2] < -0.9


def test_words_follow_one_another_by_the_same_odds_in_all_texts():
    one, other = (n12_data.walks(4000, seed) for seed in (0, 1))
    odds = []
    for texts in (one, other):
        counts = torch.zeros(24, 24).index_put_(
            (texts[:, :-1].flatten(), texts[:, 1:].flatten()), torch.tensor(1.0), accumulate=True
        )
        odds.append(counts / counts.sum(1, keepdim=True))
    assert not torch.equal(one, other) and (odds[0] - odds[1]).abs().max() < 0.1
    known = one[:, :-1].flatten()
    entropy = -(odds[0] * odds[0].clamp(min=1e-12).log()).sum(1)[known].mean()
    assert 7.3 < float(entropy.exp()) < 7.8


def height(wave):
    """The frequency at which most of a piece of sound is, in Hz."""
    return float(torch.fft.rfft(wave).abs().argmax()) * n12_data.RATE / len(wave)


def test_made_sounds_are_of_their_kind(monkeypatch, tmp_path):
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    found = n12_data.sounds(seed=1)
    assert "made by code" in repr(found) and [len(part) for part in found.labelled] == [60, 60]
    waves, kinds = found.test
    assert (
        waves.shape == (400, 1, 4000) and waves.abs().max() <= 1 and kinds.unique().tolist() == [*range(10)]
    )
    of = {name: waves[kinds == kind, 0] for kind, name in enumerate(found.kinds)}
    steady, rising, falling = (
        [(height(wave[:500]), height(wave[-500:])) for wave in of[name]]
        for name in ("steady", "rising", "falling")
    )
    assert all(abs(end / start - 1) < 0.1 for start, end in steady)
    assert all(end > 1.2 * start for start, end in rising) and all(
        end < start / 1.2 for start, end in falling
    )
    loud = {name: (part[:, :400].std(), part[:, -400:].std()) for name, part in of.items()}
    assert loud["pluck"][0] > 1.3 * loud["pluck"][1] and max(loud["hiss"]) < 0.2 < min(loud["steady"])
    # The same again, and others for another seed.
    again, other = n12_data.sounds(seed=1), n12_data.sounds(seed=0)
    assert torch.equal(again.train[0], found.train[0]) and not torch.equal(other.train[0], found.train[0])


def recording(samples):
    file = io.BytesIO()
    wavfile.write(file, n12_data.RATE, samples)
    return file.getvalue()


def test_spoken_digits_that_were_fetched_are_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    members = {
        f"recordings/{digit}_jo_{index}.wav": recording(np.full(3000 + 500 * index, 100 + digit, np.int16))
        for digit in range(10)
        for index in range(8)
    }
    packed(tmp_path / "spoken-digits" / "free-spoken-digit-dataset-1.0.9.tar.gz", members)
    found = n12_data.sounds()
    assert found.name == "spoken digits" and found.kinds == tuple("0123456789")
    assert [len(labels) for _, labels in (found.train, found.test)] == [30, 50]
    for waves, labels in (found.train, found.test):
        assert waves.shape[1:] == (1, 4000) and (waves.amax((1, 2)) == 1).all()
        assert labels.bincount().tolist() == [len(labels) // 10] * 10 and labels.tolist() != sorted(labels)
    # A short one is filled with silence.
    assert sorted({int((wave == 0).sum()) for wave in found.test[0]}) == [0, 500, 1000]
