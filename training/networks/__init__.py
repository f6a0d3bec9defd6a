"""
What a network is, how it is fitted to the digits, and how its answers are measured.

Words:

    structure   the stages of a network, convolutions and poolings, before there are weights
    stage       one convolution with its activation, or one pooling; a layer is a stage with its name and shapes
    head        the one linear layer at the end; what it reads is the features
    folded      the batch norm worked into the weights of the convolution before it, as the exported file has it
    lesson      what one epoch shows: images, labels, and perhaps a teacher's answers
"""
