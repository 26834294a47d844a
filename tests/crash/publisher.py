"""Sends every chunk that it is told to, and is told three times: `python -m tests.crash.publisher SEED`."""

import random
import sys
import time

import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.flows import sending
from campaigns.flows.recovery import recover
from campaigns.model.mail import chunks
from campaigns.wiring import open_postbox, open_stores

if __name__ == "__main__":
    settings = from_environment()
    stores = open_stores(settings.database_url)
    recover(stores.sessions, settings.journals, settings.secret, utc_now)
    post = open_postbox(settings, stores, lambda: False)
    seed = int(sys.argv[1])
    draw = random.Random(seed)
    sending.FOLLOWED *= seed % 2  # some take each chunk by its name
    while True:
        with stores.readers() as session:
            every = session.execute(sa.select(chunks.c.run_id, chunks.c.number)).all() * 3
        draw.shuffle(every)
        for run, number in every:
            sending.send_this(post, run, number)
        time.sleep(0.05)
