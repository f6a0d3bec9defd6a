"""
The digits: MNIST is found, read and split, then augmented.

Words:

    part      digits with their labels: train, validation (which every choice is made on) or test (measured at the end)
    warp      one random bend of a digit: turn, slant, scale, wave, stroke width, blur, grain; the label stays
    variant   a digit with a stroke more, such as a crossed 7, labelled as what it then is
    copy      the whole training part, warped once from one seed
"""
