"""Senders on many machines: Celery on RabbitMQ, behind campaigns.executor. Only this imports Celery."""
