"""Video -> pictures: decoding, faces, and the frame sets made from them.

Every module here is imported when the register of frame sets is asked for a name, so none imports more than numpy
at its top: PyAV and OpenCV come when the first clip does.
"""
