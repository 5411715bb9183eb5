"""Tables and JSON files that are damaged are refused in one line."""

import pytest

from experiments.execution.side_files import read_json, read_table
from experiments.figures.rd import plot_rd, read_points
from scmc_comm.errors import ScmcError

WORDS = "is not what 'scmc-comm rd' writes: "


@pytest.mark.parametrize("text", [b"", b"\xff\xfe\0", b'"a', b"a,b\n1,2\n1,2,3\n", b"other\n1\n"])
def test_a_damaged_table_is_one_line(tmp_path, text):
    (tmp_path / "x.csv").write_bytes(text)
    with pytest.raises(ScmcError, match=WORDS) as caught:
        read_table(tmp_path / "x.csv", "scmc-comm rd", ("codec",))
    assert "\n" not in str(caught.value)


def test_words_for_numbers_are_one_line(tmp_path):
    (tmp_path / "x.csv").write_text("codec,bpp\na,1\nb,two\n", encoding="utf-8")
    with pytest.raises(ScmcError, match=WORDS + "column 'bpp' holds what is no number"):
        read_table(tmp_path / "x.csv", "scmc-comm rd", ("codec",), ("bpp",))


@pytest.mark.parametrize("spec", ["7", "[1]", "null", '"a"', "[[1, 2, 3]]"])
def test_a_spec_that_is_no_mapping_is_one_line(tmp_path, spec):
    (tmp_path / "run.json").write_text(f'{{"spec": {spec}}}', encoding="utf-8")
    with pytest.raises(ScmcError, match=WORDS + "its 'spec' is no mapping"):
        plot_rd(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[1]", b"{}", b"[" * 100_000])
def test_a_damaged_json_is_one_line(tmp_path, text):
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(ScmcError, match=WORDS):
        read_json(tmp_path / "run.json", "scmc-comm rd", ("spec",))
    with pytest.raises(ScmcError, match=WORDS):
        plot_rd(tmp_path)


def test_what_is_missing_is_named(tmp_path):
    for read in (read_table, read_json):
        with pytest.raises(ScmcError, match="there is no .*x; give the output folder of 'a'"):
            read(tmp_path / "x", "a")


def test_a_table_without_rows_holds_no_wrong_number(tmp_path):
    (tmp_path / "bd.csv").write_text("codec,percent\n")
    assert read_table(tmp_path / "bd.csv", "'scmc-comm rd'", ["codec"], ["percent"]).empty


def test_points_hold_numbers_of_one_metric_or_more(tmp_path):
    path = tmp_path / "curves.csv"
    path.write_text("codec,point,bpp,psnr_db\na,1,1,3*0\nb,2,2,30\n")
    with pytest.raises(ScmcError, match=WORDS + "column 'psnr_db' holds what is no number"):
        read_points(path, "point")
    path.write_text("codec,point,bpp\na,1,1\n")
    with pytest.raises(ScmcError, match="holds no metric"):
        read_points(path, "point")
    path.write_text("codec,point,bpp,psnr_db\na,1,1,30.5\n")
    assert read_points(path, "point")["psnr_db"].tolist() == [30.5]
