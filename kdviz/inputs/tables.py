"""A pandas table as numbers, and back again for a scikit-learn model that was fitted on its columns."""

import sys
from dataclasses import dataclass

import numpy as np
import torch


def is_frame(data) -> bool:
    """Whether this is a pandas table. Nobody has one who has not imported pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns, and of each that holds texts its values, in the order of their numbers.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"age": [31, 42], "city": ["Ulm", "Bonn"]})
    >>> columns = Columns.of(table)
    >>> columns.texts, columns.numbers(table).tolist(), columns.frame(columns.numbers(table)).city.tolist()
    ({'city': ['Bonn', 'Ulm']}, [[31.0, 1.0], [42.0, 0.0]], ['Ulm', 'Bonn'])
    """

    names: list[str]
    texts: dict[str, list]

    @classmethod
    def of(cls, frame):
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        texts = {
            str(name): sorted(frame[name].dropna().unique(), key=str)
            for name in frame
            if not (is_numeric_dtype(frame[name]) or is_bool_dtype(frame[name]))
        }
        return cls([str(name) for name in frame], texts)

    def numbers(self, frame) -> torch.Tensor:
        """The table as a tensor (samples, columns) in double precision; NaN where nothing stands."""
        columns = []
        for name, column in zip(self.names, frame, strict=True):
            values = frame[column]
            if name in self.texts:
                values = values.map({text: number for number, text in enumerate(self.texts[name])})
            columns.append(np.asarray(values, float))
        return torch.from_numpy(np.stack(columns, 1))

    def frame(self, numbers: torch.Tensor):
        """The table that these numbers stand for."""
        import pandas as pd

        table = pd.DataFrame(numbers.detach().cpu().double().numpy(), columns=self.names)
        for name, texts in self.texts.items():
            table[name] = [texts[int(value)] if value == value else None for value in table[name]]
        return table
