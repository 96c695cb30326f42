"""Sets of classes, a risk target, and answers that are withheld, on real digits."""

import numpy as np

import qmf

train, test = qmf.datasets.load_handwritten("train"), qmf.datasets.load_handwritten("test")
classifier = qmf.QMFClassifier(validation_fraction=0.2, random_state=0).fit(train)

sets = classifier.predict_set(test, alpha=0.01)  # the true digit is among them in 99 % of cases
print("more than one digit is possible:", [labels for labels in sets.labels() if len(labels) > 1])

views = {name: test.features[name] for name in ("profile", "karhunen")}  # the other four views are missing
views["profile"] = np.roll(views["profile"], 200, axis=0)  # and one belongs to another digit
prediction = classifier.predict_full(views, risk=0.05)
columns = ["label", "probability", "label_profile", "label_karhunen", "abstain_reason"]
print(prediction.to_frame().select(columns).head(3))
print(prediction.to_frame()["abstain_reason"].value_counts(sort=True))
