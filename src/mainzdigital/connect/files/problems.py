"""What can be wrong with a row, in words for the person who mends it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused cell or row. `message` and `remedy` are gettext message ids with `{name}` places."""

    message: str
    remedy: str
    column: str = ""
    value: str = ""
    values: dict[str, str] = field(default_factory=dict)

    def words(self) -> tuple[str, str]:
        """Reason and remedy in the active language."""
        from django.utils.translation import gettext

        return gettext(self.message).format(**self.values), gettext(self.remedy).format(**self.values)


class Refused(Exception):
    """A cell or row that cannot be taken; the rest of the file goes on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _(message: str) -> str:
    """Marks a message for translation; it is translated where it is shown."""
    return message


NOT_A_NUMBER = _("This is not a number.")
NOT_A_NUMBER_REMEDY = _("Write digits with at most one decimal mark “{mark}”.")
NOT_FINITE = _("This number is infinite or not a number.")
NOT_FINITE_REMEDY = _("Leave the cell empty where there is no value.")
OUTSIDE = _("The value lies outside {low} to {high}.")
OUTSIDE_REMEDY = _("Check the unit and the decimal mark.")
NOT_WHOLE = _("This is a count, but not a whole number.")
NOT_A_TIME = _("This is not a point in time of the form {form}.")
NOT_A_TIME_REMEDY = _("Correct the cell or the time format of the mapping.")
NO_SUCH_HOUR = _("This time does not exist: the clock was set forward in that night ({zone}).")
NO_SUCH_HOUR_REMEDY = _("Check the clock of the device or the time zone of the mapping.")
THRICE = _("This hour of the clock change stands in the file more than twice.")
THRICE_REMEDY = _("Keep one row for summer time and one for winter time.")
TOO_SHORT = _("The row has {found} of {wanted} cells; the file may be cut off here.")
TOO_SHORT_REMEDY = _("Fetch the file again or complete the row.")
TOO_LONG = _("The row has {found} cells, the header only {wanted}.")
TOO_LONG_REMEDY = _("Put quotation marks around cells that contain the delimiter.")
EMPTY_KEY = _("The key column is empty.")
EMPTY_KEY_REMEDY = _("Fill in the column; it says which object the row belongs to.")
NOT_A_PLACE = _("These are not coordinates in degrees.")
NOT_A_PLACE_REMEDY = _("Give longitude and latitude in degrees, such as 8.27 and 50.00.")
SWAPPED = _("Longitude and latitude are swapped.")
SWAPPED_REMEDY = _("Swap the two cells.")
ELSEWHERE = _("The place lies outside the area {area}.")
ELSEWHERE_REMEDY = _("Check the coordinates; EPSG:4326 is expected.")
FORMULA = _("The cell holds a formula without a stored result.")
FORMULA_REMEDY = _("Open the file in a spreadsheet program and save it, or replace the formula by its value.")
CELL_ERROR = _("The cell holds the spreadsheet error {error}.")
CELL_ERROR_REMEDY = _("Correct the formula or empty the cell.")
TWICE = _("The same object and time stand in the file twice, with different values.")
TWICE_REMEDY = _("Keep the right row; the first one was taken.")
NOT_WRITTEN = _("The platform refused the value: {why}")
NOT_WRITTEN_REMEDY = _("Correct the value and import the file again.")
UNKNOWN_QUANTITY = _("The mapping does not know this kind of value.")
UNKNOWN_QUANTITY_REMEDY = _("Add it to the mapping's `values`, or leave the row out.")
TOO_MUCH_TEXT = _("The text has more than {most} characters.")
TOO_MUCH_TEXT_REMEDY = _("Shorten the text.")
NO_DATASTREAM = _("There is no datastream “{name}” of “{thing}”.")
NO_DATASTREAM_REMEDY = _("Create it, then import the file again.")
MANY_DATASTREAMS = _("There are several datastreams “{name}” of “{thing}”.")
MANY_DATASTREAMS_REMEDY = _("Give them names of their own, then import the file again.")
NO_FEATURE = _("There is no feature of interest “{name}”.")
NO_FEATURE_REMEDY = _("Create it, then import the file again.")
MANY_FEATURES = _("There are several features of interest “{name}”.")
MANY_FEATURES_REMEDY = _("Give them names of their own, then import the file again.")
NOT_JSON = _("This is not the JSON that belongs here: {why}")
NOT_JSON_REMEDY = _("Correct the cell.")
