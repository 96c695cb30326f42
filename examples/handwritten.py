"""Six views of handwritten digits: train, see how far each view is trusted, and what happens when one goes bad."""

import numpy as np

import qmf

train = qmf.datasets.load_handwritten("train", seed=0)
test = qmf.datasets.load_handwritten("test", seed=0)

classifier = qmf.QMFClassifier(random_state=0).fit(train)
print(f"accuracy {classifier.score(test, test.labels):.3f}")

# One view is missing for half of the samples: its weight there is exactly 0.
views = {name: x.copy() for name, x in test.features.items()}
views["pixel"][::2] = np.nan
prediction = classifier.predict_full(views)
print(prediction.to_frame().select("id", "label", "probability", "weight_pixel", "weight_profile").head(4))
print(f"accuracy with half of the pixels missing {np.mean(prediction.labels == test.labels):.3f}")
print("hardest training samples in view 'pixel':", classifier.hardest_samples("pixel", 3))
