"""A trained classifier for other runtimes: an ONNX file, which predicts without torch, or a ``.pt2`` archive.

`qmf.export.exporting` writes them, after checking them against the classifier; `qmf.export.onnx_classifier` predicts
with an ONNX file. Both are imported by whoever needs them: the second imports no torch.
"""
