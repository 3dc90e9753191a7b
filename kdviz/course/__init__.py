"""The course: its pages and map, its experiments and stored tables, its exercises, and its static edition.

``pages.toml`` declares every page. Notebooks import ``exercises.exercise``, ``results.load``,
``survey_map.survey_map``, ``glossary.glossary``, ``loss_card.loss_card`` and ``tally.tally``.
"""
