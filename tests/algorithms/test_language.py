"""Distilling a language model: whose texts, which divergence, one network or a stack of them."""

import doctest
import itertools

import pytest
import torch

import kdviz as kd
from kdviz.algorithms import language
from kdviz.algorithms.language import distill, generate, learn
from kdviz.datasets import Texts, clock
from kdviz.losses import CrossEntropy, JensenShannon, ReverseKL, SoftTargets, TopTargets
from kdviz.models import transformer, window_network
from kdviz.training.stacked import StackedModel
from kdviz.training.texts import next_logits

FEW = {"steps": 4, "batch_size": 8, "learning_rate": 1e-2}


def network(seed=0, width=8):
    return transformer(54, 30, width=width, length=8, seed=seed)


def weights(model):
    return torch.cat([part.detach().flatten() for part in model.parameters()])


def same(one, other):
    return torch.equal(weights(one), weights(other))


class Three(torch.nn.Module):
    """A language of a stop and two words, whose next word depends on the last token alone."""

    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.nn.Parameter(torch.randn(4, 3, generator=generator, dtype=torch.float64))

    def forward(self, tokens):
        return self.table[tokens]


def prompts(count):
    ones = torch.ones(count, dtype=torch.long)
    return Texts(torch.full((count, 1), 3), ones, ones)


class TestGenerate:
    def test_draws_each_text_as_often_as_the_model_means_it(self):
        model, count = Three(), 20_000
        said = generate(model, prompts(count), words=2, seed=1)
        p = model.table.detach().softmax(-1)
        for first, second in [(0, 0), *itertools.product((1, 2), range(3))]:
            expected = p[3, first] * (1.0 if first == 0 else p[first, second])
            found = (said.tokens[:, 1:] == torch.tensor([first, second])).all(1).double().mean()
            assert abs(found - expected) < 4 * (expected * (1 - expected) / count).sqrt() + 1e-4
        stopped = said.tokens[:, 1] == 0
        assert (said.end[stopped] == 2).all() and (said.end[~stopped] == 3).all()

    def test_colder_is_surer_and_zero_is_the_likeliest(self):
        model = network()
        data = clock(50).texts
        greedy = generate(model, data, words=6, temperature=0)
        assert torch.equal(generate(model, data, words=6, temperature=1e-4).tokens, greedy.tokens)
        logits = model(greedy.tokens[:, :-1])
        learned = greedy.learned[:, 1:]
        assert (logits.argmax(-1) == greedy.tokens[:, 1:])[learned].all()
        warm = generate(model, data, words=6, temperature=1.0)
        assert not torch.equal(warm.tokens, greedy.tokens)

    def test_belongs_to_its_seed_and_leaves_the_model_and_torch_alone(self):
        model = network().train()
        torch.manual_seed(3)
        before = weights(model).clone(), torch.get_rng_state()
        one, again, other = (generate(model, clock(20).texts, words=6, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(one.tokens, again.tokens) and not torch.equal(one.tokens, other.tokens)
        assert torch.equal(weights(model), before[0]) and torch.equal(torch.get_rng_state(), before[1])
        assert model.training

    def test_prompts_of_unequal_length_are_answered_as_alone(self):
        tokens = torch.tensor([[31, 44, 5], [33, 0, 0], [40, 50, 0]])
        start = torch.tensor([3, 1, 2])
        together = generate(network(), Texts(tokens, start, start), words=4, temperature=0)
        for n, first in enumerate(start.tolist()):
            alone = Texts(tokens[n : n + 1, :first], start[n : n + 1], start[n : n + 1])
            found = generate(network(), alone, words=4, temperature=0)
            assert torch.equal(together.tokens[n, : first + 4], found.tokens[0])
            assert together.end[n] == found.end[0]


class TestLearning:
    def test_is_the_usual_loop(self):
        """Three steps written out: the batch, the mask with the stop, the mean over the words."""
        data = clock(24, seed=5)

        def sgd(parameters):
            return torch.optim.SGD(parameters, lr=1.0)

        run = learn(network(), data.texts, steps=3, batch_size=8, seed=2, optimizer=sgd)
        student = network().train()
        optimizer = sgd(student.parameters())
        order = torch.randperm(24, generator=torch.Generator().manual_seed(2)).split(8)
        for step, rows in enumerate(order):
            tokens, end = data.texts.tokens[rows], data.texts.end[rows]
            total = 0.0
            for text, stop in zip(tokens, end.tolist(), strict=True):
                log_p = student(text[None, : stop - 1])[0].log_softmax(-1)
                total = total - log_p[torch.arange(1, stop - 1), text[2:stop]].sum()
            optimizer.zero_grad()
            (total / (end - 2).sum()).backward()
            for group in optimizer.param_groups:
                group["lr"] = kd.training.updates.cosine(step, 3)
            optimizer.step()
        torch.testing.assert_close(weights(run.finish().student), weights(student))

    def test_padding_behind_the_stop_does_not_matter(self):
        data = clock(24).texts
        behind = torch.arange(8) >= data.end[:, None]
        other = Texts(data.tokens.masked_fill(behind, 17), data.start, data.end)
        one, two = (learn(network(), texts, **FEW).finish() for texts in (data, other))
        assert same(one.student, two.student)
        for own in (0.0, 1.0):
            pair = [
                distill(network(1), network(), part, ReverseKL(), own=own, **FEW) for part in (data, other)
            ]
            assert same(*(run.finish().student for run in pair))


OBJECTIVES = [SoftTargets(1.0), ReverseKL(), JensenShannon(0.3, form="normalised"), TopTargets(5)]


class TestDistilling:
    def test_the_teacher_stays_and_the_student_given_too(self):
        teacher, student = network(1).train(), network(0)
        before = weights(teacher).clone(), weights(student).clone()
        run = distill(teacher, student, clock(40).texts, ReverseKL(), own=0.5, **FEW).finish()
        assert torch.equal(weights(teacher), before[0]) and torch.equal(weights(student), before[1])
        assert teacher.training and not same(run.student, student)
        assert all(part.grad is None for part in teacher.parameters())

    def test_no_share_of_its_own_is_off_policy_bit_for_bit(self):
        """As over the same texts by a lesson that knows of nothing else."""
        data, teacher = clock(40, seed=1).texts, network(1)
        run = distill(teacher, network(), data, ReverseKL(), own=0.0, temperature=0.3, seed=4, **FEW)
        rows = kd.training.batches.batches(40, 8, 4)

        def off_policy(student, step):
            batch = data[next(rows)]
            with torch.no_grad():
                theirs = teacher(batch.tokens[:, :-1]).flatten(0, 1)
            ours = student(batch.tokens[:, :-1]).flatten(0, 1)
            return kd.Trace(ours), kd.Trace(theirs), batch.targets.flatten()

        other = kd.training.Run(network(), off_policy, run.objective, seed=4, **FEW)
        assert same(run.finish().student, other.finish().student)
        assert not same(run.student, distill(teacher, network(), data, ReverseKL(), own=0.2, **FEW).student)

    def test_its_own_texts_do_not_depend_on_the_words_given(self):
        """With λ = 1 only the prompts of the texts matter."""
        data = clock(40, seed=1).texts
        other = Texts(data.tokens.clone(), data.start, data.end)
        other.tokens[:, 2:] = other.tokens[:, 2:].flip(0)
        runs = [distill(network(1), network(), part, ReverseKL(), own=1.0, **FEW) for part in (data, other)]
        assert same(*(run.finish().student for run in runs))

    def test_a_share_of_the_texts_is_its_own(self):
        data, heard = clock(64, seed=1).texts, []

        class Listener(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.network = network(1)

            def forward(self, tokens):
                heard.append(tokens.clone())
                return self.network(tokens)

        settings = {"steps": 20, "batch_size": 64}
        distill(Listener(), network(), data, ReverseKL(), own=0.3, **settings).finish()
        given = {tuple(tokens) for tokens in data.tokens[:, :-1].tolist()}
        shares = [sum(tuple(text) not in given for text in tokens.tolist()) / 64 for tokens in heard]
        assert abs(sum(shares) / len(shares) - 0.3) < 0.05 and max(shares) < 0.6

    @pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
    def test_a_stack_is_each_of_its_students_alone(self, objective):
        data = [clock(30, seed=seed).texts for seed in range(3)]
        students, teachers = ([network(part + seed) for seed in range(3)] for part in (0, 10))
        settings = {"own": 0.5, "words": 6, **FEW}
        stack = distill(
            StackedModel(teachers), StackedModel(students), data, objective, seed=[5, 6, 7], **settings
        )
        stack.finish()
        assert stack.records[-1].total.shape == (3,)
        for n in range(3):
            alone = distill(teachers[n], students[n], data[n], objective, seed=5 + n, **settings).finish()
            torch.testing.assert_close(
                weights(stack.student.student(n, 0)), weights(alone.student), rtol=1e-3, atol=1e-4
            )
            assert stack.records[-1].total[n] == pytest.approx(alone.records[-1].total, rel=1e-3)

    def test_beta_goes_from_forward_to_reverse_kl(self):
        data, teacher = clock(30).texts, network(1)
        for beta, end in ((0.0, SoftTargets(1.0)), (1.0, ReverseKL())):
            runs = [
                distill(teacher, network(), data, objective, **FEW).finish()
                for objective in (JensenShannon(beta, form="normalised"), end)
            ]
            assert runs[0].records[-1].total == pytest.approx(runs[1].records[-1].total, rel=1e-4)

    def test_it_can_be_left_and_go_on_another_day(self, tmp_path):
        def begun():
            return distill(
                network(1), network(), clock(40).texts, ReverseKL(), own=0.5, record_every=2, seed=3, **FEW
            )

        run = begun()
        for record in run:
            if record.step == 2:
                run.save(tmp_path)
        again = kd.load_run(tmp_path, begun())
        assert again.step == 2 and same(again.finish().student, run.student)

    def test_a_warm_student_learns_the_clock(self):
        data = clock(2000)
        run = learn(
            network(0, 16), data.texts, steps=250, learning_rate=1e-2, evaluate=kd.measure.clock_measures
        )
        measured = [record.measures["right"] for record in run]
        assert measured[0] < 0.05 and measured[-1] > 0.4

    def test_a_window_network_learns_alike(self):
        run = learn(window_network(54, 30, 24), clock(2000).texts, steps=150, learning_rate=2e-2)
        first = run.__next__()
        assert run.finish().records[-1].total < 0.5 * first.total


@pytest.mark.parametrize(
    "call, kind, match",
    [
        (
            lambda d: distill(network(), network(), d.texts, CrossEntropy(), own=0.5),
            ValueError,
            "learn to say",
        ),
        (lambda d: distill(network(), network(), d.texts, ReverseKL(), own=1.5), ValueError, "own must be"),
        (lambda d: learn(network(), d.texts.tokens), TypeError, "must be kdviz.datasets.Texts"),
        (lambda d: generate(network(), d.texts, words=0), ValueError, "words must be a whole number"),
        (
            lambda d: generate(network(), d.texts, words=2, temperature=-1.0),
            ValueError,
            "temperature must be",
        ),
        (
            lambda d: learn(StackedModel([network(), network(1)]), [d.texts] * 3),
            ValueError,
            "a stack of 2 seeds needs as many Texts",
        ),
        (
            lambda d: learn(StackedModel([network()]), d.texts, clip=1.0),
            ValueError,
            "in a stack seeds would meet",
        ),
        (
            lambda d: learn(StackedModel([network()]), d.texts, seed=[1, 2]),
            ValueError,
            "one seed for each of 1 networks; got 2",
        ),
        (
            lambda d: distill(transformer(54, 40, length=8), network(), d.texts, ReverseKL(), **FEW).finish(),
            ValueError,
            "vocabulary of 40 words and the student one of 30.*Let the teacher write",
        ),
    ],
)
def test_bad_arguments_say_what_is_expected(call, kind, match):
    with pytest.raises(kind, match=match):
        call(clock(8))


def test_the_examples_run():
    found = doctest.testmod(language)
    assert found.attempted > 8 and not found.failed


def test_what_next_says_of_a_stack_and_of_more_axes():
    model, tokens = network(), clock(6).texts.tokens
    torch.testing.assert_close(next_logits(model, tokens[None])[0], model(tokens))


# --- decoders of transformers


def gpt(layers, seed, words=60):
    transformers = pytest.importorskip("transformers")
    settings = transformers.GPT2Config(
        vocab_size=words, n_positions=32, n_embd=16, n_layer=layers, n_head=2, bos_token_id=0, eos_token_id=1
    )
    with kd.seeding.seeded(seed):
        return transformers.GPT2LMHeadModel(settings)


def tokenizer(words):
    """One that knows these words."""
    import tokenizers
    import transformers

    names = ["<end>", *words.split()]
    model = tokenizers.models.WordLevel({word: n for n, word in enumerate(names)}, unk_token="<end>")
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>")


def unequal(count=24, words=60, length=12):
    """Prompts of two to five tokens, texts of two to six behind them."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(2, words, (count, length), generator=generator)
    start = torch.randint(2, 6, (count,), generator=generator)
    end = start + torch.randint(2, 7, (count,), generator=generator)
    tokens[torch.arange(count), end - 1] = 1
    return Texts(tokens.masked_fill(torch.arange(length) >= end[:, None], 1), start, end)


@pytest.mark.complete
class TestGPT2:
    """Of a small configuration; what is said of it is said of every decoder with logits."""

    settings = {"batch_size": 8, "learning_rate": 3e-3, "stop": 1}

    def test_on_policy_the_loss_falls_and_the_teacher_is_untouched(self):
        teacher, student = gpt(3, 1).train(), gpt(1, 2)
        state = {name: part.clone() for name, part in teacher.state_dict().items()}
        run = distill(
            teacher, student, unequal(), SoftTargets(1.0), own=1.0, steps=60, record_every=10, **self.settings
        ).finish()
        losses = [record.total for record in run.records]
        assert losses[-1] < 0.6 * losses[0]
        assert all(torch.equal(part, state[name]) for name, part in teacher.state_dict().items())
        assert teacher.training and all(part.grad is None for part in teacher.parameters())

    def test_the_mask_is_that_of_transformers_itself(self):
        """Its own loss, with -100 where nothing is learned, on the same batch."""
        texts, model = unequal(), gpt(1, 2)
        labels = texts.tokens.masked_fill(~texts.learned, -100)
        with torch.no_grad():
            expected = model.eval()(input_ids=texts.tokens, labels=labels).loss
        settings = self.settings | {"batch_size": len(texts)}
        for p in model.modules():
            if isinstance(p, torch.nn.Dropout):
                p.p = 0.0
        run = learn(model, texts, steps=1, **settings).finish()
        assert run.records[0].total == pytest.approx(float(expected), rel=1e-5)

    def test_it_says_what_its_own_generate_says(self):
        model, texts = gpt(2, 3).eval(), unequal()
        said = generate(model, texts, words=6, temperature=0, stop=1)
        for n in range(4):
            prompt = texts.tokens[n : n + 1, : texts.start[n]]
            expected = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=6,
                do_sample=False,
                pad_token_id=1,
            )
            found = said.tokens[n, : said.end[n]]
            assert torch.equal(found, expected[0][: said.end[n]])

    def test_it_goes_on_another_day(self, tmp_path):
        def begun():
            return distill(
                gpt(2, 1),
                gpt(1, 2),
                unequal(),
                ReverseKL(),
                own=0.5,
                steps=6,
                record_every=3,
                **self.settings,
            )

        run = begun()
        next(run)
        run.save(tmp_path)
        again = kd.load_run(tmp_path, begun())
        assert same(again.finish().student, run.finish().student)

    def test_a_tokenizer_of_another_vocabulary_reads_what_the_teacher_wrote(self):
        ours, theirs = tokenizer("the cat sat on a mat"), tokenizer("a mat the dog ran to cat sat on big red")
        prompts, answers = ["the cat", "a", ""], ["sat on a mat", "mat sat", "the cat sat"]
        texts = Texts.of(theirs, prompts, answers)
        assert texts.start.tolist() == [2, 1, 1] and texts.end.tolist() == [7, 4, 5]
        assert texts.decoded(theirs) == answers and texts.targets[1].tolist()[2:] == [0, -1, -1, -1]
        teacher = learn(gpt(1, 1, len(theirs)), texts, steps=80, stop=0, learning_rate=1e-2).finish().student
        asked = Texts.of(theirs, prompts)
        said = generate(teacher, asked, words=6, temperature=0, stop=theirs.eos_token_id).decoded(theirs)
        assert said == answers
        student = learn(gpt(1, 2, len(ours)), Texts.of(ours, prompts, said), steps=80, learning_rate=1e-2)
        found = generate(student.finish().student, Texts.of(ours, prompts), words=6, temperature=0)
        assert found.decoded(ours) == answers
        with pytest.raises(ValueError, match="each prompt needs an answer; got 3 and 1"):
            Texts.of(ours, prompts, answers[:1])

    def test_another_vocabulary_is_refused_with_what_helps(self):
        run = distill(gpt(2, 1, words=80), gpt(1, 2), unequal(), ReverseKL(), steps=2, **self.settings)
        with pytest.raises(ValueError, match="80 words and the student one of 60.*generate.*resize_token"):
            run.finish()
