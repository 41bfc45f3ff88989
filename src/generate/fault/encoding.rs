//! E115–E117: what the encoding detective names. The rest of the series needs a profile that takes more encodings than the archive does.

use super::Fault;
use crate::domain::code::Code;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E115, "zero-octets-at-the-end", |g| Some([g.case().render().as_slice(), &[0; 64]].concat())),
    Fault::new(Code::E116, "mime-boundary-before", |g| {
        Some([b"--=_part_1\r\nContent-Type: text/xml; charset=UTF-8\r\n\r\n".as_slice(), &g.case().render()].concat())
    }),
    Fault::new(Code::E116, "mime-boundary-after", |g| Some([g.case().render().as_slice(), b"\r\n--=_part_1--\r\n"].concat())),
    Fault::new(Code::E117, "empty-line-before-declaration", |g| Some([b"\n".as_slice(), &g.case().render()].concat())),
];
