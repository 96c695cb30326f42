"""Fuse classifiers that were trained elsewhere: all that is needed is their logits."""

from sklearn.linear_model import LogisticRegression

import qmf

train = qmf.datasets.load_handwritten("train", seed=0)
test = qmf.datasets.load_handwritten("test", seed=0)
views = ("fourier", "karhunen", "zernike")
fitting, validation = train.take(range(0, len(train), 2)), train.take(range(1, len(train), 2))


def standardised(samples, name):
    x = fitting.features[name]
    return (samples.features[name] - x.mean(axis=0)) / x.std(axis=0)


models = {name: LogisticRegression(max_iter=1000).fit(standardised(fitting, name), fitting.labels) for name in views}


def logits(samples):
    return {name: model.decision_function(standardised(samples, name)) for name, model in models.items()}


fusion = qmf.PostHocFusion(uncertainty="entropy", weighting="simplex").fit(logits(validation), validation.labels)
print("temperatures", {name: round(t, 2) for name, t in fusion.temperature_.items()})
for name, model in models.items():
    print(f"{name} alone {model.score(standardised(test, name), test.labels):.3f}")
print(f"fused {(fusion.predict(logits(test)) == test.labels).mean():.3f}")
