"""
The novelty reader, and the pictures that it learns from and is measured with.

Words:

    novelty       how unlike a digit a picture is, 0 to 1; above a threshold the picture is flagged as no digit
    strangeness   the novelty before its sigmoid, of any range
    negative      a picture that is no digit, to learn from: made from digits, or drawn
    drawn kind    one way of drawing a negative, such as a scribble or a silhouette
    glyph         a letter or sign given as the strokes of a pen
    stranger      a picture that is no digit, to measure with; none is made in a way that a negative is
"""
