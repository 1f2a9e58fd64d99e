"""What one would use instead of the wallet, each as its friends would build it: tuned, checked, and no more honest.

None of them uses the wallet's engine, writer or stores. They share its wire format, its ciphers and its digests, so
that a difference is one of the way in which a bet is kept.
"""
