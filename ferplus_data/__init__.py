"""FER+ from files to batches: readers, votes to labels, the decoded cache, splits, augmentation, batches.

`dataset.load_dataset(data)` is the way in: it picks a reader (`readers.READERS`: a Kaggle CSV pair, PNG
folders or the drawn `demo`), decodes once into a memory-mapped cache (`store`), applies the label protocol
(`labels`) and gives three `Split`s. `batches.Batches` feeds one of them to Keras, augmented at 48x48
(`augment`); only that file imports Keras. Bad input raises `errors.InputError` with one line that says what
was expected, what was found, where, and what to do.
"""
