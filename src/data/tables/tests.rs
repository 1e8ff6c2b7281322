use super::*;
use crate::experiment::Halt;
use crate::experiment::fair::ColumnKind;
use std::io::Write;
use std::path::PathBuf;

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(bytes: &[u8]) -> Outcome<Table> {
    let (_folder, path) = file("t.csv", bytes);
    open(&path.to_string_lossy(), &mut || Ok(()))
}

fn problem(bytes: &[u8]) -> Problem {
    match read(bytes).unwrap_err() {
        Halt::Problem(problem) => problem,
        Halt::Asked => panic!("nobody asked"),
    }
}

fn numbers<'t>(table: &'t Table, name: &str) -> &'t [f64] {
    match &table.column(name).unwrap().cells {
        Cells::Numbers(numbers) => numbers,
        other => panic!("{other:?}"),
    }
}

fn levels<'t>(table: &'t Table, name: &str) -> (&'t [u32], Vec<&'t str>) {
    match &table.column(name).unwrap().cells {
        Cells::Levels { codes, names } => (codes, names.iter().map(String::as_str).collect()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn kinds_are_guessed_and_empty_cells_are_counted() {
    let table =
        read(b"\xef\xbb\xbfage,job,city\r\n31,nurse,\"Ulm, Donau\"\r\n?,clerk,\r\n40.5,nurse,Bern\r\n").unwrap();
    assert_eq!(table.rows, 3);
    let ages = numbers(&table, "age");
    assert!(ages[0] == 31.0 && ages[1].is_nan() && ages[2] == 40.5);
    assert_eq!(levels(&table, "job"), (&[1, 0, 1][..], vec!["clerk", "nurse"]));
    assert_eq!(levels(&table, "city"), (&[1, NO_LEVEL, 0][..], vec!["Bern", "Ulm, Donau"]));
    assert_eq!(table.columns.iter().map(|column| column.missing).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn separators_are_guessed_and_doubled_line_ends_are_one() {
    for separator in [",", ";", "\t", "|"] {
        let text = format!("a{separator}b\r\r\n1{separator}2\r\r\n3{separator}4\r\r\n");
        let table = read(text.as_bytes()).unwrap();
        assert_eq!((table.rows, numbers(&table, "b")), (2, &[2.0, 4.0][..]), "{separator:?}");
    }
    // A comma inside quotation marks is no separator.
    let table = read(b"\"a, b, c, d\";e\n1;2\n").unwrap();
    assert_eq!(table.columns[0].name, "a, b, c, d");
}

#[test]
fn kinds_can_be_corrected() {
    let table = read(b"code,size,word\n1,5,x\n7,6,y\n1,7,x\n").unwrap();
    let code = table.column("code").unwrap().to_kind(ColumnKind::Category).unwrap();
    assert_eq!(code.cells, Cells::Levels { codes: vec![0, 1, 0], names: vec!["1".into(), "7".into()] });
    let seven = code.against_rest("7").unwrap();
    assert_eq!(seven.cells, Cells::Levels { codes: vec![1, 0, 1], names: vec!["7".into(), "not 7".into()] });
    let problem = table.column("word").unwrap().to_kind(ColumnKind::Number).unwrap_err();
    assert!(problem.headline.contains("`word` cannot be a number"), "{problem}");
    assert!(code.against_rest("8").unwrap_err().remedy[0].contains('7'));
}

#[test]
fn a_few_texts_among_numbers_are_told_with_their_row() {
    let mut text = String::from("a,b\n");
    (0..60).for_each(|row| text += &format!("{row},1\n"));
    text += "broken,1\n";
    let table = read(text.as_bytes()).unwrap();
    assert!(numbers(&table, "a")[60].is_nan());
    assert!(table.notes[0].contains("`broken` in row 61"), "{:?}", table.notes);
}

#[test]
fn nameless_and_doubled_columns_get_names() {
    let table = read(b"a,,a\n1,2,3\n").unwrap();
    assert_eq!(table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["a", "column 2", "a (2)"]);
    assert_eq!(table.notes.len(), 2);
}

#[test]
fn bad_tables_end_in_words() {
    for (bytes, words) in [
        (&b""[..], "no bytes"),
        (b"\n\n\n", "no text"),
        (b"a,b,c\n", "no rows"),
        (b"only\n1\n2\n", "only one column"),
        (b"a,b\n1,2\n3,4,5\n", "Row 2 has 3 cells"),
        (b"a,b\n1,2\n3\n", "Row 2 has 1 cells"),
        (b"PK\x03\x04somethingelse", "workbook"),
        (b"\xff\xfea\0,\0b\0", "encoding"),
        (b"name,b\nM\xfcller,2\n", "encoding"),
        (b"a,b\n1,\0\n", "zero bytes"),
        (b"PAR1 this is not parquet", "Parquet"),
        (b"\x1f\x8bnot gzip at all", "cannot be read"),
    ] {
        let problem = problem(bytes);
        assert!(problem.headline.contains(words), "{problem}");
        assert!(problem.place.is_some_and(|place| place.contains("t.csv")));
    }
    let latin = problem(b"name,b\nM\xfcller,2\n");
    assert!(latin.detail[0].contains("row 1") && latin.remedy[0].contains("UTF-8"), "{latin}");
}

#[test]
fn folders_and_missing_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for (path, words) in [(folder.path().to_owned(), "a folder"), (folder.path().join("no.csv"), "open the table")] {
        match open(&path.to_string_lossy(), &mut || Ok(())) {
            Err(Halt::Problem(problem)) => assert!(problem.headline.contains(words), "{problem}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_million_categories_take_no_memory() {
    let (_folder, path) = file("t.csv", b"");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    out.write_all(b"id,value\n").unwrap();
    for row in 0..200_000 {
        writeln!(out, "person-{row},{row}").unwrap();
    }
    out.flush().unwrap();
    drop(out);
    let table = open(&path.to_string_lossy(), &mut || Ok(())).unwrap();
    assert_eq!(table.column("id").unwrap().cells, Cells::Texts(200_000));
    assert_eq!(numbers(&table, "value").len(), 200_000);
    assert!(table.column("id").unwrap().describe().contains("text"));
}

#[test]
fn long_texts_count_as_memory_until_they_are_let_go() {
    let mut column = super::column::Builder::new("remark".to_owned());
    for row in 0..4000 {
        column.text(&format!("{row} {}", "x".repeat(1000)));
    }
    assert!(column.bytes() > 4_000_000);
    for row in 4000..5000 {
        column.text(&format!("{row} {}", "x".repeat(1000)));
    }
    assert!(column.bytes() < 100_000, "more texts than categories may have: only their number is kept");
}

#[test]
fn huge_files_end_within_bounds() {
    let (_folder, path) = file("t.csv", b"a,b\n1,2\n");
    // 2 GB of zeros behind it, without room on the disk.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(2 << 30).unwrap();
    let mut ticks = 0;
    let outcome = open(&path.to_string_lossy(), &mut || {
        ticks += 1;
        Ok(())
    });
    assert!(matches!(outcome, Err(Halt::Problem(problem)) if problem.headline.contains("zero bytes")));
    assert_eq!(ticks, 0, "it was seen in the first block");
    let endless = [b"a,b\n\"".to_vec(), vec![b'x'; 6 << 20]].concat();
    assert!(problem(&endless).headline.contains("does not end"));
    assert!(check_memory_against(4_000_000_000, 3_000_000_000, 1).unwrap_err().code == Code::OutOfMemory);
    assert!(check_memory_against(4_000_000_000, 1_000_000_000, 1).is_ok());
}

#[test]
fn reading_can_be_stopped() {
    let text: String = std::iter::once("a,b\n".to_owned()).chain((0..10_000).map(|row| format!("{row},1\n"))).collect();
    let (_folder, path) = file("t.csv", text.as_bytes());
    assert!(matches!(open(&path.to_string_lossy(), &mut || Err(Halt::Asked)), Err(Halt::Asked)));
}

#[test]
fn the_embedded_tables_are_what_their_papers_say() {
    let communities = open(COMMUNITIES, &mut || Ok(())).unwrap();
    assert_eq!((communities.rows, communities.columns.len()), (1994, 120));
    let (codes, names) = levels(&communities, "race");
    assert_eq!(names, ["other", "white"]);
    assert_eq!(codes.iter().filter(|code| **code == 1).count(), 1572);
    assert_eq!(communities.column("LemasSwornFT").unwrap().missing, 1675);
    let law = open(LAW_SCHOOL, &mut || Ok(())).unwrap();
    assert_eq!((law.rows, law.columns.len()), (27_478, 11));
    let whole = (0..law.rows).filter(|&row| law.columns.iter().all(|column| !column.is_missing(row))).count();
    assert_eq!(whole, 20_800);
    let card = law.card();
    assert_eq!(card.target.as_deref(), Some("ugpa"));
    assert_eq!(card.sensitive, ["race", "gender"]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/fair");
    let sizes = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() < 2_000_000);
}

mod of_parquet {
    use super::*;
    use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    fn write() -> Vec<u8> {
        let schema = "message schema { required int64 id; optional double size; optional binary word (UTF8);
            required boolean flag; repeated int64 list; }";
        let mut bytes = Vec::new();
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[7, 8, 9], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[0.5, 1.5], Some(&[1, 0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let words: Vec<ByteArray> = ["b", "a"].into_iter().map(ByteArray::from).collect();
        column.typed::<ByteArrayType>().write_batch(&words, Some(&[1, 1, 0]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<BoolType>().write_batch(&[true, false, true], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, 2, 3], Some(&[1, 1, 1]), Some(&[0, 0, 0])).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        bytes
    }

    #[test]
    fn columns_of_all_kinds_are_read() {
        let table = read(&write()).unwrap();
        assert_eq!(numbers(&table, "id"), [7.0, 8.0, 9.0]);
        let sizes = numbers(&table, "size");
        assert!(sizes[0] == 0.5 && sizes[1].is_nan() && sizes[2] == 1.5);
        assert_eq!(levels(&table, "word"), (&[1, 0, NO_LEVEL][..], vec!["a", "b"]));
        assert_eq!(levels(&table, "flag").1, ["no", "yes"]);
        assert!(table.notes[0].contains("`list` holds lists"), "{:?}", table.notes);
    }

    #[test]
    fn damage_is_told() {
        let bytes = write();
        let cut = problem(&bytes[..bytes.len() / 2]);
        assert!(cut.headline.contains("cut off or damaged"), "{cut}");
        for at in (4..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x5a;
            // Whatever comes of it, it comes back.
            let _ = read(&damaged);
        }
    }
}
