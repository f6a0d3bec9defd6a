"""
What is measured of a finished model folder, or of a bank of filters, and plotted.

Words:

    report         statistics of every filter of a model over a whole part, beside the model as report.json
    bank           filters that a caller gives, as POST /v1/apply-filters takes them
    read-out       the linear layer that is fitted to a bank's answers, and nothing else learnt
"""
