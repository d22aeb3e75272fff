"""The errors that can be put into a clean city: one table of injectors, each with the rules that must then fail."""

from workflow.demo.errors.books import BOOKS
from workflow.demo.errors.careers import CAREERS
from workflow.demo.errors.contracts import CONTRACTS
from workflow.demo.errors.figures import FIGURES
from workflow.demo.errors.forms import FORMS
from workflow.demo.errors.mechanism import Error
from workflow.demo.errors.pairs import PAIRS
from workflow.demo.errors.people import PEOPLE
from workflow.demo.errors.posts import POSTS
from workflow.demo.errors.quotas import QUOTAS
from workflow.demo.errors.units import UNITS

ERRORS: tuple[Error, ...] = (*FORMS, *PEOPLE, *CAREERS, *QUOTAS, *POSTS, *UNITS, *BOOKS, *CONTRACTS, *FIGURES, *PAIRS)
