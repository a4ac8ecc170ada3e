"""The configuration: what is read, what is refused, and what the paper's preset says."""

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from dicomae import config
from dicomae.errors import UsageError
from dicomae.ranges import Range

CONF = Path(__file__).resolve().parents[2] / "conf"


def _candidate(name: str, bottleneck: float, learning_rate: float, hidden: str = "[]") -> str:
    sizes = f"hidden = {hidden}\nbottleneck = {bottleneck}\nlearning_rate = {learning_rate}\n"
    return f"[[training.candidates]]\nname = '{name}'\n{sizes}"


@pytest.fixture
def write(tmp_path: Path):
    """Write a file that extends conf/default.toml by some lines, and return its path."""

    def _write(lines: str, extends: str = str(CONF / "default.toml")) -> Path:
        path = tmp_path / "ours.toml"
        path.write_text(f'extends = "{extends}"\n{lines}\n', encoding="utf-8")
        return path

    return _write


@pytest.mark.parametrize("name", ["default.toml", "local.toml", "nightly.toml", "paper.toml"])
def test_the_files_of_conf_load(name: str) -> None:
    assert config.load(CONF / name).sample.modalities == ("CT", "CR", "MR", "XA", "NM", "RF")


def test_the_paper_preset_has_the_papers_parameters() -> None:
    paper = config.load(CONF / "paper.toml")
    assert paper.sample.split_by == "instance"
    assert (paper.sample.train, paper.sample.validation, paper.sample.test) == (0.72, 0.08, 0.20)
    assert paper.sample.photometric_interpretations == ("MONOCHROME1", "MONOCHROME2")
    assert (paper.funnel.minimum_unique, paper.funnel.minimum_fill) == (2, 0.20)
    assert (paper.funnel.fill_scope, paper.funnel.maximum_categories) == ("global", 50)
    assert paper.features.bounds == "minmax"
    assert (paper.training.epochs, paper.training.batch_size) == (10, 64)
    assert paper.training.candidates[0].hidden == (256, 128, 64)
    assert max(candidate.bottleneck for candidate in paper.training.candidates) == 0.10
    assert paper.clustering.engine == "alternate"
    assert paper.clustering.maximum_iterations == 300
    assert paper.clustering.n_clusters == (4, 7, 11, 15, 20, 25, 30, 40, 50, 75, 100, 150)
    assert paper.evaluation.average_method == "arithmetic"
    assert (paper.evaluation.alpha, paper.evaluation.equivalence_margin) == (0.05, 0.02)


def test_another_file_changes_what_it_names_and_keeps_the_rest(write) -> None:
    default = config.load(CONF / "default.toml")
    ours = config.load(write("[training]\nepochs = 3\n[spark.options]\n'spark.ui.enabled' = 'false'"))
    assert ours.training == dataclasses.replace(default.training, epochs=3)
    assert ours.spark.options == {"spark.ui.enabled": "false"}
    assert ours.funnel == default.funnel


def test_a_list_is_replaced_not_appended_to(write) -> None:
    assert config.load(write("[clustering]\nn_clusters = [2, 3]")).clustering.n_clusters == (2, 3)


def test_an_integer_is_a_float_where_one_is_wanted(write) -> None:
    share = config.load(write("[funnel]\nminimum_fill = 1")).funnel.minimum_fill
    assert (share, type(share)) == (1.0, float)


def test_body_part_rules_are_found_from_the_file_that_was_given(write, tmp_path: Path) -> None:
    path = write('body_part_rules = "rules/ours.toml"')
    assert config.load(path).body_part_rules == str(tmp_path.resolve() / "rules" / "ours.toml")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("[trainign]\nepochs = 3", "unknown key 'trainign'; known are: .*training"),
        ("[training]\nepoch = 3", "unknown key 'training.epoch'; known are: .*epochs"),
        ("[[training.candidates]]\nnaem = 'x'", "unknown key 'training.candidates.0..naem'"),
        ("[training]\nepochs = '3'", "key 'training.epochs' must be .*int.*, not '3'"),
        ("[training]\nepochs = 3.5", "key 'training.epochs' must be .*int.*, not 3.5"),
        ("[training]\nepochs = true", "key 'training.epochs' must be .*int.*, not True"),
        ("[sample]\ntrain = true", "key 'sample.train' must be .*float.*, not True"),
        ("[clustering]\nengine = 'pam'", "key 'clustering.engine' must be one of 'fasterpam', 'alternate'"),
        ("[clustering]\nn_clusters = [4, 'x']", "key 'clustering.n_clusters.1.' must be"),
        ("[spark.options]\na = 1", "key 'spark.options.a' must be .*str.*, not 1"),
        ("spark = 1", "key 'spark' must be a table, not 1"),
        ("[[training.candidates]]\nname = 'x'", "key 'training.candidates.0..hidden' is missing"),
        ("[training\n", "not a readable TOML file"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(write, lines: str, message: str) -> None:
    path = write(lines)
    with pytest.raises(UsageError, match=message) as error:
        config.load(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml: no such configuration file"):
        config.load(tmp_path / "absent.toml")


def test_a_missing_parent_is_named(write) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml: no such configuration file"):
        config.load(write("", extends="absent.toml"))


def test_a_folder_is_no_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a readable TOML file"):
        config.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested deeper than 16 levels"),
        ("a = " + "{a = " * 5000 + "1" + "}" * 5000, "nested deeper than 16 levels"),
        ("[" + ".".join("a" * 17) + "]", "nested deeper than 16 levels"),
        ("[[" + ".".join("a" * 5000) + "]]", "nested deeper than 16 levels"),
        ("a = " + "9" * 5000, "not a readable TOML file"),
        ("#" * (1 << 20) + "\n", "larger than 1048576 bytes"),
        ("extends = '/dev/zero'", "/dev/zero: not a readable TOML file: not a regular file"),
        ("extends = '.'", "a folder, not a file"),
        ('extends = "a\\u0000b"', "holds NUL"),
        (f"extends = '{'x' * 300}'", "File name too long"),
    ],
    ids=range(10),
)
def test_what_no_memory_can_take_is_no_configuration(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "conf.toml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(told)):
        config.load(tmp_path / "conf.toml")


def test_a_fifo_is_no_configuration_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError, match="not a regular file"):
        config.load(tmp_path / "fifo")


def test_links_that_lead_in_a_circle_are_no_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(UsageError, match="links that lead in a circle"):
        config.load(tmp_path / "circle")


def test_a_long_chain_of_files_is_refused(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i}").write_text(f"extends = '{i + 1}'")
    with pytest.raises(UsageError, match="more than 16 files extend one another"):
        config.load(tmp_path / "0")


def test_a_circle_of_files_is_refused(write) -> None:
    with pytest.raises(UsageError, match="'extends' leads back"):
        config.load(write("", extends="ours.toml"))


def test_the_hash_follows_the_values_of_its_sections_alone(write) -> None:
    one = config.load(write("[training]\nepochs = 3"))
    same = config.load(write("[training]\nepochs = 3 # as before"))
    other = config.load(write("[training]\nepochs = 4"))
    assert one.sha256() == same.sha256()
    assert one.sha256() != other.sha256()
    assert one.sha256("sample", "funnel") == other.sha256("sample", "funnel")
    assert one.sha256("training") != other.sha256("training")


def test_a_configuration_cannot_be_changed() -> None:
    loaded = config.load(CONF / "default.toml")
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.training.epochs = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[spark]\nmaster = 'locl[2]'", "spark.master' must be .*, not 'locl[2]'"),
        ("[spark]\nmaster = 'local[0]'", "spark.master' must be .*, not 'local[0]'"),
        ("[spark]\ndriver_memory = 'lots'", "spark.driver_memory' must be a size such as 2g"),
        ("[spark]\ndriver_memory = '2gb'", "spark.driver_memory' must be a size such as 2g"),
        ("[ingest]\nheader_limit_bytes = 1023", "ingest.header_limit_bytes' must be from 1024 to 1073741824"),
        (
            "[ingest]\nfirst_read_bytes = 1_000_000_000_000",
            "ingest.first_read_bytes' must be from 1024 to header_limit_bytes (67108864), not 1000000000000",
        ),
        (
            "[ingest]\nheader_limit_bytes = 10_000",
            "ingest.first_read_bytes' must be from 1024 to header_limit_bytes (10000), not 16384",
        ),
        ("[ingest]\nfirst_read_bytes = 1023", "ingest.first_read_bytes' must be from 1024 to header_limit"),
        ("[ingest]\nread_timeout_seconds = 0.5", "ingest.read_timeout_seconds' must be from 1 to 86400, not"),
        ("[ingest]\nread_timeout_seconds = inf", "ingest.read_timeout_seconds' must be from 1 to 86400"),
        ("[ingest]\narchive_limit_members = 0", "ingest.archive_limit_members' must be from 1 to .*, not 0"),
        ("[ingest]\narchive_limit_bytes = 0", "ingest.archive_limit_bytes' must be from 1 to .*, not 0"),
        ("[ingest]\narchive_limit_ratio = 0", "ingest.archive_limit_ratio' must be from 1 to .*, not 0"),
        ("[sample]\ntrain = 0.9", "sample.train + validation + test' must be 1"),
        ("[sample]\nper_modality = 0", "sample.per_modality' must be from 1 to .*, not 0"),
        (
            "[sample]\nminimum_per_modality = 5000",
            "sample.minimum_per_modality' must be from 0 to per_modality (4200), not 5000",
        ),
        ("[sample]\nmodalities = []", "sample.modalities' must be a list of one or more different values"),
        ("[sample]\nmodalities = ['CT', 'CT']", "sample.modalities' must be a list of one or more different"),
        ("[sample]\nphotometric_interpretations = []", "sample.photometric_interpretations' must be a list"),
        ("[funnel]\nminimum_fill = nan", "funnel.minimum_fill' must be from 0 to 1, not nan"),
        ("[funnel]\nminimum_unique = 3", "funnel.minimum_unique' must be 1 or 2, not 3"),
        (
            "[funnel]\nminimum_numeric_share = 1.01",
            "funnel.minimum_numeric_share' must be from 0 to 1, not 1.01",
        ),
        ("[features]\nlower_quantile = 0.5", "features.lower_quantile' must be from 0 to below 0.5, not 0.5"),
        ("[features]\nupper_quantile = 0.5", "features.upper_quantile' must be above 0.5, up to 1, not 0.5"),
        ("[features]\nminimum_patients = -3", "features.minimum_patients' must be from 1 to .*, not -3"),
        ("[features]\nminimum_patients = 0", "features.minimum_patients' must be from 1 to .*, not 0"),
        ("[features]\nminimum_devices = 0", "features.minimum_devices' must be from 1 to .*, not 0"),
        ("[funnel]\nidentifiers = []", "funnel.identifiers' must be a list of one or more values, not []"),
        ("[features]\nupper_quantile = 1.5", "features.upper_quantile' must be above 0.5, up to 1"),
        ("[training]\nepochs = 0", "training.epochs' must be from 1 to .*, not 0"),
        ("[training]\nbatch_size = 1", "training.batch_size' must be from 2 to 1000000, not 1"),
        ("[training]\nseed = -1", "training.seed' must be from 0 to 4294967295, not -1"),
        ("[training]\nnegative_slope = 1", "training.negative_slope' must be from 0 to below 1, not 1.0"),
        (
            _candidate("a", 0.1, 0.1, "[4, 0]"),
            "training.candidates[0].hidden' must be at most 16 numbers from 1 to 65536, not [4, 0]",
        ),
        ("[training]\ncandidates = []", "training.candidates' must be a list of one or more different"),
        (_candidate("a", 0.2, 0.001), "training.candidates[0].bottleneck' must be above 0, up to 0.1"),
        (_candidate("a", 0.1, 0.0), "training.candidates[0].learning_rate' must be above 0, up to 10"),
        (_candidate("a", 0.1, 0.1) * 2, "training.candidates' must be a list of one or more different"),
        ("[clustering]\nn_clusters = [0, 4]", "clustering.n_clusters' must be at most 100 numbers from 1 to"),
        ("[clustering]\nn_clusters = [7, 4, 7]", "clustering.n_clusters' must be a list of one or more diff"),
        ("[clustering]\nmaximum_iterations = 0", "clustering.maximum_iterations' must be from 1 to"),
        ("[evaluation]\nalpha = 1", "evaluation.alpha' must be above 0 and below 1, not 1.0"),
        ("[evaluation]\nbootstrap_samples = 0", "evaluation.bootstrap_samples' must be from 1 to .*, not 0"),
        ("[spark]\nmaster = 'local[99999]'", "spark.master' must be .*, not 'local[99999]'"),
        ("[spark]\ndriver_memory = '9999999999g'", "spark.driver_memory' must be a size such as 2g"),
        ("[spark]\njars_dir = 'a\\u0000b'".replace("'", '"'), "spark.jars_dir' must be a text without NUL"),
        (_candidate("a", 0.1, 10**400), "training.candidates[0].learning_rate' must be float, not 1000"),
        (f"[training]\nepochs = 0x{'f' * 9000}", "training.epochs' must be .*, not a number of too many"),
        (f"[sample]\nsplit_by = '{'x' * 9000}'", "sample.split_by' must be .*xxx…"),
        ("[evaluation]\nequivalence_margin = 0", "evaluation.equivalence_margin' must be above 0 and below"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_may_be(write, lines: str, said: str) -> None:
    pattern = re.escape(f"key '{said}").replace(r"\.\*", ".*")
    with pytest.raises(UsageError, match=pattern):
        config.load(write(lines))


def _numbers(section: type, path: str = "") -> Iterator[tuple[str, Any, type]]:
    """Key, annotated type and class of each number, or list of numbers, in a section and in those inside."""
    for name, hint in get_type_hints(section, include_extras=True).items():
        plain = get_type_hints(section)[name]
        inner = next((each for each in (plain, *get_args(plain)) if dataclasses.is_dataclass(each)), None)
        if inner is not None:
            yield from _numbers(inner, f"{path}{name}.")
        elif plain in (int, float, tuple[int, ...]):
            yield f"{path}{name}", hint, section


@pytest.mark.parametrize(("key", "hint", "section"), list(_numbers(config.Config)))
def test_every_number_has_both_ends(key: str, hint: Any, section: type) -> None:
    below_another_key = dict.fromkeys(get_type_hints(section), 1000)
    for huge in (10**30, 10**300, -(10**30)):
        value = (huge,) if get_args(hint)[0] == tuple[int, ...] else huge
        ranges = [each for each in get_args(hint)[1:] if isinstance(each, Range)]
        assert not all(each.holds(value, SimpleNamespace(**below_another_key)) for each in ranges), key


@pytest.mark.parametrize(
    "master", ["", "local", "local[*]", "local[4]", "local[*,3]", "spark://a:7077", "yarn", "k8s://https://a"]
)
def test_every_kind_of_master_is_taken(write, master: str) -> None:
    assert config.load(write(f"[spark]\nmaster = '{master}'")).spark.master == master
