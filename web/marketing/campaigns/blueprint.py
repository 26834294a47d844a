"""The blueprint that all campaigns' pages hang on."""

from web.marketing.desk import desk

campaigns = desk("campaigns", "/campaigns")
