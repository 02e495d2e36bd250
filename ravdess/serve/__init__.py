"""The live page: a voice, a face or a file in, eight moving bars out. FastAPI, one WebSocket, plain JavaScript.

``hearing`` turns a microphone into utterances, ``desk`` decides who is judged next, ``doors`` who may enter, ``live``
is one visitor, ``app`` the addresses and ``process`` where it runs. Nothing that arrives is written to disk.
"""
