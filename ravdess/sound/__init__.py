"""Waveform -> numbers: reading clips, frames and spectra, and the feature sets made from them.

Every module here is imported when the register of feature sets is asked for a name, so none imports more than
numpy at its top: SciPy, soxr, soundfile and PyAV come when the first clip does. Nothing here imports librosa.
"""
