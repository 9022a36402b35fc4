"""Which faces show the same photograph, in whatever crop, size, brightness or mirror image.

FER2013 was gathered by image searches, which return one photograph many times: cropped otherwise, scaled, mirrored,
brightened, with a watermark. A validation face whose photograph also stands in training measures memory.

`grouping.photograph_numbers(images)` gives each face the number of its photograph. Every face is compared with every
other under some hundreds of shifts, scales and the mirror image, by short descriptors and matrix products
(`descriptors`, `candidates`); what is alike is aligned pixel by pixel and measured (`alignment`). `cached` keeps the
numbers beside the decoded data.
"""
