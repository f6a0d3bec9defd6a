"""Why a network decided as it did: a picture with its maps, the methods, and what each of them takes."""
