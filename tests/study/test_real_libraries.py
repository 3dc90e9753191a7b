"""Real libraries: transformers from configurations, scikit-learn, onnxruntime, Lightning."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from reviewed import DATA, INPUTS, OBJECTIVE, net
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd
from kdviz.seeding import seeded
from kdviz.tracing import logits_of

pytestmark = [pytest.mark.complete, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def bert(transformers, layers):
    sizes = {"vocab_size": 100, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    settings = transformers.BertConfig(
        **sizes, num_hidden_layers=layers, num_labels=3, max_position_embeddings=64
    )
    with seeded(layers):
        return transformers.BertForSequenceClassification(settings)


def distilbert(transformers):
    settings = transformers.DistilBertConfig(
        vocab_size=100, dim=32, n_layers=2, n_heads=2, hidden_dim=64, num_labels=3, max_position_embeddings=64
    )
    with seeded(9):
        return transformers.DistilBertForSequenceClassification(settings)


def gpt(transformers, layers):
    settings = transformers.GPT2Config(
        vocab_size=60, n_positions=32, n_embd=32, n_layer=layers, n_head=2, bos_token_id=0, eos_token_id=1
    )
    with seeded(layers):
        return transformers.GPT2LMHeadModel(settings)


def texts(length=16, count=4):
    """Texts of unequal lengths, padded to one, with the type of each token besides."""
    generator, batches = torch.Generator().manual_seed(1), []
    for _ in range(count):
        tokens = torch.randint(5, 100, (20, 12), generator=generator)
        long = torch.randint(4, 13, (20,), generator=generator)
        mask = (torch.arange(12)[None] < long[:, None]).long()
        tokens, mask = (F.pad(part, (0, length - 12)) for part in (tokens * mask, mask))
        given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": torch.zeros_like(tokens)}
        batches.append({**given, "labels": tokens[:, 0] % 3})
    return batches


def trained(model, batches, steps=40):
    with seeded(0):
        optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
        model.train()
        for number in range(steps):
            optimizer.zero_grad()
            model(**batches[number % len(batches)]).loss.backward()
            optimizer.step()
    return model.eval()


def test_bert_and_distilbert(transformers, tmp_path):
    """DistilBERT takes no token types; both take masks, and answer with objects."""
    teacher, student = trained(bert(transformers, 4), texts()), bert(transformers, 2)
    found = kd.compare(
        teacher, student, texts(), baselines={"distilbert": distilbert(transformers)}, progress=False
    )
    blocks = [f"bert.encoder.layer.{n}" for n in range(4)]
    assert found.layers["teacher"] == [*blocks, "classifier"]
    assert found.layers["student"] == [*blocks[:2], "classifier"]
    # Padding changes nothing, neither answers nor layers.
    longer = kd.compare(teacher, student, texts(40), progress=False)
    np.testing.assert_allclose(longer.cka, found.cka, atol=1e-5)
    assert longer.table.kl["student"] == pytest.approx(found.table.kl["student"], rel=1e-4)
    told = found.attributions(count=10)
    masks = found.samples.batch()["attention_mask"][:10]
    assert list(told.maps) == ["teacher", "student", "distilbert"]
    assert (told.maps["teacher"][masks.numpy() == 0] == 0).all() and np.abs(told.maps["teacher"]).max() > 0
    page = found.to_html(tmp_path / "bert.html").read_text()
    assert "This part could not be drawn" not in page and "show=tokenizer" in page

    class Tokenizer:
        def decode(self, tokens):
            return " ".join(f"word{token}" for token in tokens)

    shown = kd.compare(teacher, student, texts(), show=Tokenizer(), progress=False).gallery()
    assert "word" in shown.cards[0] and "show=" not in shown.hint


@pytest.mark.parametrize("wrong", [False, True])
def test_a_step_on_bert(transformers, wrong):
    """At the small logits of an untrained student, only the calls tell a forgotten logarithm."""
    teacher, student = trained(bert(transformers, 4), texts()), bert(transformers, 2).train()
    optimizer = torch.optim.AdamW(student.parameters(), 1e-3)

    def step(teacher, student, optimizer, batch):
        with torch.no_grad():
            answers = teacher(**{name: part for name, part in batch.items() if name != "labels"}).logits
        out = student(**batch)
        guess = (out.logits / 4).softmax(-1) if wrong else (out.logits / 4).log_softmax(-1)
        loss = 0.5 * out.loss + 8 * F.kl_div(guess, (answers / 4).softmax(-1), reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    found = kd.diagnose(teacher, student, texts(), step=step, optimizer=optimizer)
    assert found.names == (["log_forgotten"] if wrong else []), str(found)


@pytest.mark.parametrize("format, suffix", [("onnx", "onnx"), ("torch", "pt2")])
def test_an_exported_bert_takes_texts_of_any_length_and_is_compared_again(
    transformers, format, suffix, tmp_path
):
    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    student = bert(transformers, 2).eval()
    given = {name: part[:4] for name, part in texts()[0].items() if name in ("input_ids", "attention_mask")}
    exported = kd.study.export_student(student, tmp_path / f"bert.{suffix}", given, format)
    assert exported.free == {"input_ids": [0, 1], "attention_mask": [0, 1]}
    batches = [{k: v for k, v in one.items() if k != "token_type_ids"} for one in texts(24)]
    found = kd.compare(student, exported.path, batches, progress=False)
    assert found.table.agreement["student"] == 1 and found.table.kl["student"] < 1e-8


def language(count=3):
    generator, batches = torch.Generator().manual_seed(2), []
    for _ in range(count):
        tokens = torch.randint(60, (8, 16), generator=generator)
        tokens[:, 1::2] = (tokens[:, ::2] * 7 + 3) % 60
        mask = torch.ones_like(tokens)
        mask[:, 13:] = 0
        labels = torch.where(mask.bool(), tokens, -100)
        labels[:, :3] = -100
        batches.append({"input_ids": tokens, "attention_mask": mask, "labels": labels})
    return batches


def test_a_language_model_is_measured_token_by_token(transformers, tmp_path):
    data = language()
    teacher, student = trained(gpt(transformers, 2), data, 60), gpt(transformers, 1)
    found = kd.compare(teacher, student, data, progress=False)
    assert found.kind.shifted and found.kind.name == "tokens"
    with torch.no_grad():
        losses = [teacher(**batch).loss for batch in data]
    assert found.table.perplexity["teacher"] == pytest.approx(
        float(torch.stack(losses).mean().exp()), rel=1e-4
    )
    answers, apart, count = [], 0.0, 0
    for batch in data:
        with torch.no_grad():
            q, p = (
                logits_of(model.eval()(batch["input_ids"], attention_mask=batch["attention_mask"]))
                for model in (teacher, student)
            )
        known = batch["labels"][:, 1:] >= 0
        q, p = (part[:, :-1][known].double().log_softmax(-1) for part in (q, p))
        apart += float(F.kl_div(p, q, reduction="sum", log_target=True))
        count += len(p)
        answers.append((q.argmax(-1) == p.argmax(-1)).double())
    assert found.table.kl["student"] == pytest.approx(apart / count, rel=1e-5)
    assert found.table.agreement["student"] == pytest.approx(float(torch.cat(answers).mean()))
    assert (
        found.layers["student"] == ["transformer.h.0", "lm_head"]
        or "transformer.h.0" in found.layers["student"]
    )
    assert "This part could not be drawn" not in found.to_html(tmp_path / "gpt.html").read_text()

    def step(teacher, student, optimizer, batch):
        with torch.no_grad():
            answers = teacher(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        out, known = student(**batch), batch["labels"][:, 1:] >= 0
        z, t = out.logits[:, :-1][known], answers[:, :-1][known]
        soft = F.kl_div((z / 2).log_softmax(-1), (t / 2).softmax(-1), reduction="batchmean")
        loss = 0.5 * out.loss + 0.5 * 4 * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    optimizer = torch.optim.AdamW(student.train().parameters(), 1e-3)
    told = kd.diagnose(teacher, student, data, step=step, optimizer=optimizer)
    assert {*told.names} <= {"teacher_miscalibrated"}, str(told)
    assert "0.5 × cross-entropy + 0.5 × soft targets at T = 2" in " ".join(str(told).split())


def test_a_vision_transformer(transformers, tmp_path):
    def vit(layers):
        settings = transformers.ViTConfig(
            image_size=32,
            patch_size=8,
            hidden_size=32,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=64,
            num_labels=4,
        )
        with seeded(layers):
            return transformers.ViTForImageClassification(settings)

    generator = torch.Generator().manual_seed(0)
    data = [
        {
            "pixel_values": torch.randn(20, 3, 32, 32, generator=generator),
            "labels": torch.randint(4, (20,), generator=generator),
        }
        for _ in range(3)
    ]
    found = kd.compare(vit(3), vit(2), data, progress=False)
    assert [path.rpartition(".")[2] for path in found.layers["teacher"]] == ["0", "1", "2", "classifier"]
    page = found.to_html(tmp_path / "vit.html").read_text()
    assert "This part could not be drawn" not in page and page.count("data-kdviz-explorer") >= 3


def people(count=200):
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.integers(18, 80, count),
            "income": random.normal(40, 12, count),
            "city": random.choice(["Ulm", "Bonn", "Kiel"], count),
        }
    )
    labels = ((table.age > 45) ^ (table.city == "Ulm")).astype(int)
    return table, labels


def pipeline(estimator):
    columns = [("texts", OneHotEncoder(), ["city"]), ("numbers", StandardScaler(), ["age", "income"])]
    return make_pipeline(ColumnTransformer(columns), estimator)


@pytest.mark.filterwarnings("error")
def test_pipelines_get_their_table_back():
    table, labels = people()
    teacher, student = (
        pipeline(RandomForestClassifier(trees, random_state=0)).fit(table, labels) for trees in (30, 3)
    )
    found = kd.compare(teacher, student, (table, labels), progress=False)
    assert found.columns == ["age", "income", "city"]
    for name, model in (("teacher", teacher), ("student", student)):
        assert found.table.accuracy[name] == pytest.approx((model.predict(table) == labels).mean())
        assert np.isnan(found.table.parameters[name])
    assert "a scikit-learn model has no weights of torch" in str(found)
    with pytest.raises(TypeError, match="columns of texts: city"):
        kd.compare(teacher, torch.nn.Linear(3, 2), (table, labels), progress=False)


def test_regressors_answer_with_numbers():
    table, _ = people()
    wanted = table.age + 0.1 * table.income
    numbers = table[["age", "income"]]
    models = [RandomForestRegressor(trees, random_state=0).fit(numbers, wanted) for trees in (30, 2)]
    found = kd.compare(*models, (numbers, wanted), progress=False)
    off = models[1].predict(numbers) - wanted
    assert found.table.rmse["student"] == pytest.approx(float((off**2).mean() ** 0.5), rel=1e-4)
    assert found.table.absolute_error["student"] == pytest.approx(float(off.abs().mean()), rel=1e-4)


def test_distill_of_transformers_sees_the_positions_that_count(transformers):
    """BERT into DistilBERT on dictionaries, and GPT-2 on its next tokens: losses worked out by hand."""
    soft = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(4.0)

    def by_hand(ours, theirs, labels):
        p, q = F.log_softmax(ours / 4, 1), F.softmax(theirs / 4, 1)
        return float(0.1 * F.cross_entropy(ours, labels) + 0.9 * 16 * F.kl_div(p, q, reduction="batchmean"))

    teacher, student, batches = bert(transformers, 3).eval(), distilbert(transformers).eval(), texts()
    # Without dropout, which by hand could not be drawn again.
    still = {part for part in student.modules() if isinstance(part, torch.nn.Dropout)}
    for part in still:
        part.p = 0.0
    student.config.attention_dropout = 0.0
    run = kd.distill(teacher, student, batches, soft, steps=4, record_every=1, validation=batches)
    first = next(run)
    given = {name: part for name, part in batches[0].items() if name != "labels"}
    with torch.no_grad():
        theirs = teacher(**given).logits
        ours = student(**{name: part for name, part in given.items() if name != "token_type_ids"}).logits
    assert first.total == pytest.approx(by_hand(ours, theirs, batches[0]["labels"]), rel=1e-4)
    assert run.finish().step == 4
    assert set(first.measures) == {"accuracy", "agreement"}

    teacher, student = gpt(transformers, 2).eval(), gpt(transformers, 1)
    for part in student.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    tokens = torch.randint(2, 60, (8, 10), generator=torch.Generator().manual_seed(0))
    labels = tokens.clone()
    labels[:, :3] = -100
    mask = torch.ones_like(tokens)
    mask[0, 7:], labels[0, 7:] = 0, -100
    batch = {"input_ids": tokens, "attention_mask": mask, "labels": labels}
    run = kd.distill(teacher, student, [batch], soft, steps=1, validation=[batch])
    with torch.no_grad():
        theirs, ours = (
            model(input_ids=tokens, attention_mask=mask).logits[:, :-1] for model in (teacher, student.eval())
        )
    known = labels[:, 1:] >= 0
    expected = by_hand(ours[known], theirs[known], labels[:, 1:][known])
    assert next(run).total == pytest.approx(expected, rel=1e-4)


@pytest.fixture
def lightning():
    return pytest.importorskip("lightning")


def module(lightning, wrong=False):
    """A training module that holds both, with the objective of kdviz, or without the logarithm."""

    class Distillation(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.teacher, self.student = net(width=32, scale=60.0).requires_grad_(False), net(seed=1)

        def forward(self, inputs):
            return self.student(inputs)

        def training_step(self, batch, batch_idx):
            inputs, labels = batch
            ours, theirs = kd.trace(self.student, inputs), kd.tracing.answer(self.teacher, inputs)
            loss, terms = OBJECTIVE(ours, theirs, labels)
            if wrong:
                p, q = (part.logits.div(4).softmax(1) for part in (ours, theirs))
                loss = 0.1 * terms["cross_entropy"] + 14.4 * F.kl_div(p, q, reduction="batchmean")
            self.log("loss", loss)
            self.log_dict(terms)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.student.parameters(), 0.1)

    return Distillation().train()


def a_trainer(lightning):
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return lightning.Trainer(max_steps=2, accelerator="cpu", **dict.fromkeys(quiet, False))


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("wrong", [False, True])
def test_a_training_module_of_lightning_is_looked_at(lightning, wrong, trained):
    """Before a trainer has it, and after, when it logs into a loop that has ended."""
    held, data = module(lightning, wrong), DataLoader(TensorDataset(*DATA), 50, shuffle=True)
    optimizer, trainer = held.configure_optimizers(), a_trainer(lightning)
    if trained:
        trainer.fit(held, data)
        held.train()
    before, logged = copy.deepcopy(held.state_dict()), dict(trainer.callback_metrics)
    for student in (held.student, held):
        found = kd.diagnose(
            held.teacher, student, data, step=held.training_step, optimizer=optimizer, objective=OBJECTIVE
        )
        assert found.names == (["log_forgotten"] if wrong else []), str(found)
        told = {one.name for one in found.passed}
        assert wrong or {"form_of_the_loss", "teacher_has_no_effect", "soft_term_small"} <= told
        assert not found.not_put_back
    for name, part in held.state_dict().items():
        assert torch.equal(part, before[name]), name
    assert dict(trainer.callback_metrics) == logged and "log" not in vars(held)


def test_a_training_module_of_lightning_learns_and_is_compared(lightning):
    held = module(lightning)
    table = kd.compare(held.teacher, held, DATA, progress=False).table
    assert table.equals(kd.compare(held.teacher, held.student, DATA, progress=False).table)
    with torch.no_grad():
        apart = F.kl_div(held(INPUTS).log_softmax(1), held.teacher(INPUTS).softmax(1), reduction="batchmean")
    assert table.kl["student"] == pytest.approx(float(apart), rel=1e-5)
    teacher, student = (copy.deepcopy(part.state_dict()) for part in (held.teacher, held.student))
    a_trainer(lightning).fit(held, DataLoader(TensorDataset(*DATA), 50))
    assert all(torch.equal(part, teacher[name]) for name, part in held.teacher.state_dict().items())
    assert not any(torch.equal(part, student[name]) for name, part in held.student.state_dict().items())
    taught = kd.compare(held.teacher, held, DATA, progress=False).table
    assert taught.kl["student"] < table.kl["student"]
