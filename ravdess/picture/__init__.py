"""Video -> pictures: decoding, faces, and the frame sets made from them.

Every module here is imported when the register of frame sets is asked for a name, so none imports more than numpy
at its top: PyAV and OpenCV come when the first clip does.

    >>> from ravdess.frames import frame_set
    >>> from ravdess.picture import frames, pictures
    >>> from ravdess.corpora import catalogue
    >>> clip = catalogue("sample:actors=1,takes=1,modalities=audio-video").clips["source"][0].as_py()
    >>> faces, whole = pictures(clip, [frame_set("face_96"), frame_set("frames_640x360")])
    >>> faces.frames.shape[1:], whole.frames.shape[1:]
    ((96, 96, 1), (360, 640, 3))
    >>> frames(clip, stride=2, start=10, stop=20).shape
    (5, 180, 320, 3)
"""

from ravdess.picture.decode import frames
from ravdess.picture.take import pictures, stream

__all__ = ["frames", "pictures", "stream"]
