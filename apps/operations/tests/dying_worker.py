"""What a worker includes to die: see ``dying``. Its pool notices at once, not after the seconds that Celery allows."""

from billiard import pool
from celery.concurrency.asynpool import AsynPool

from apps.operations.tests import probe  # noqa: F401 - its kind is one of those that are wrapped
from apps.operations.tests.dying import wrap_steps

# How often it looks for processes that are gone, and how long it waits for an answer that one may have left behind.
AsynPool.timers = property(lambda self: {self.maintain_pool: 0.05})
pool.LOST_WORKER_TIMEOUT = 0.2

wrap_steps()
