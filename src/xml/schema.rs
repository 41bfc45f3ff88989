//! The one file that speaks to libxml2, and the one with `unsafe`: XML Schema 1.0 verdicts from `xmlSchemaValidateStream`.
//!
//! Why libxml2: no Rust library gives xmllint's verdicts at its speed. Why our own declarations: the bindings on the registry need libclang to build, know
//! only the tree validator, and cannot share a schema among threads. What keeps it safe:
//! * every type is opaque but `xmlError` and `xmlSAXHandler`, whose layouts are part of libxml2's ABI since 2.6 and checked by the tests;
//! * a schema is compiled under a lock, then only read; each validation has a context of its own, so threads share nothing that changes;
//! * libxml2's own ways to files and the network are taken away: it can open what lies in memory here and nothing else;
//! * the callbacks copy what they need, never unwind into C, and hold no reference after they return;
//! * the pre-pass has refused document types, deep nesting and floods before the text comes here.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, Once, PoisonError};

use super::declared::Declared;
use super::explain;
use super::model::{self, Model};
use super::path::{self, Unplaced};
use super::sentence;
use super::tree;
use crate::codes::source::Files;
use crate::domain::code::Code;
use crate::domain::finding::{Finding, Place};
use crate::domain::limits;

/// A compiled schema. Shared by all threads.
#[derive(Debug)]
pub struct Schema {
    compiled: NonNull<c_void>,
    declared: Declared,
    model: Model,
    remarks: Vec<SchemaFault>,
}

// SAFETY: after `compile` the schema is only read; libxml2 keeps what changes during a validation in the validation context.
// Measured with 4 threads in rotation against single-threaded verdicts, and tested so (tests/it/xml/schema.rs).
unsafe impl Send for Schema {}
// SAFETY: as above.
unsafe impl Sync for Schema {}

/// Why a schema could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// Which file.
    pub file: String,
    /// Which line of it, from 1; 0 when not known.
    pub line: u32,
    /// libxml2's own words: they quote nothing but the schema.
    pub reason: String,
    /// Whether libxml2 goes on all the same.
    pub is_warning: bool,
}

impl std::fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

impl std::error::Error for SchemaFault {}

impl Schema {
    /// Compiles the schema whose entry file is `entry` (`xsd/kanta-social.xsd`); what it includes and imports is taken from `files`.
    ///
    /// # Errors
    /// The first thing libxml2 complains of, warnings too: a skipped import would leave types silently absent.
    pub fn compile(files: &Files, entry: &str) -> Result<Self, SchemaFault> {
        let schema = Self::compile_with_remarks(files, entry)?;
        match schema.remarks.first() {
            Some(remark) => Err(remark.clone()),
            None => Ok(schema),
        }
    }

    /// As [`Self::compile`], for a schema that others wrote: what libxml2 only warns of is kept in [`Self::remarks`]. The Finnish patient set imports one
    /// namespace by two files, and is meant to be used so.
    ///
    /// # Errors
    /// The first error of libxml2's.
    pub fn compile_with_remarks(files: &Files, entry: &str) -> Result<Self, SchemaFault> {
        let fault = |reason: &str| SchemaFault { file: entry.to_owned(), line: 0, reason: reason.to_owned(), is_warning: false };
        let location = CString::new(format!("{MEMORY}{entry}")).map_err(|_| fault("a file name with a zero octet"))?;
        if !files.contains_key(entry) {
            return Err(fault("there is no such file"));
        }
        // libxml2 fills its table of built-in types at the first compilation, without a lock of its own.
        static COMPILING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
        start_library();
        let _shown = Shown::new(files);
        let mut complaints: Vec<SchemaFault> = Vec::new();
        let collector: *mut Vec<SchemaFault> = &raw mut complaints;
        // SAFETY: the location is a zero-terminated string; the contexts are freed once, after their last use; `complaints` outlives both handlers,
        // which are taken back before it is read.
        let compiled = unsafe {
            xmlSetStructuredErrorFunc(collector.cast(), Some(complain));
            let context = xmlSchemaNewParserCtxt(location.as_ptr());
            let compiled = if context.is_null() {
                ptr::null_mut()
            } else {
                xmlSchemaSetParserStructuredErrors(context, Some(complain), collector.cast());
                let compiled = xmlSchemaParse(context);
                xmlSchemaFreeParserCtxt(context);
                compiled
            };
            xmlSetStructuredErrorFunc(ptr::null_mut(), Some(hush));
            compiled
        };
        let schema = NonNull::new(compiled).map(|compiled| Self {
            compiled,
            declared: Declared::read(files, entry),
            model: Model::read(files, entry),
            remarks: Vec::new(),
        });
        // Of a file that is not there libxml2 only warns; what it misses then is an error somewhere else.
        let is_cause = |complaint: &&SchemaFault| !complaint.is_warning || complaint.reason.contains("Failed to locate");
        let is_fatal = schema.is_none() || complaints.iter().any(|complaint| !complaint.is_warning);
        let error = complaints.iter().find(is_cause).filter(|_| is_fatal).cloned();
        match (schema, error) {
            (_, Some(error)) => Err(error),
            (None, None) => Err(complaints.into_iter().next().unwrap_or_else(|| fault("libxml2 gives no schema and no reason"))),
            (Some(mut schema), None) => {
                schema.remarks = complaints;
                Ok(schema)
            }
        }
    }

    /// What libxml2 warned of when it compiled the schema.
    #[must_use]
    pub fn remarks(&self) -> &[SchemaFault] {
        &self.remarks
    }

    /// What the schema's files say that libxml2 does not tell.
    #[must_use]
    pub const fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Validates a text that the pre-pass has let through. Empty: valid. Warnings alone (W902, an extension element the schema does not know) are valid too.
    #[must_use]
    pub fn validate(&self, text: &str) -> Vec<Finding> {
        let found = match self.run(text) {
            Ok(found) if found.is_empty() => return Vec::new(),
            Ok(found) => found,
            Err(finding) => return vec![finding],
        };
        let may_be_extension = |f: &Finding| f.code == Code::E202 && f.args.iter().any(|(_, word)| word.starts_with("hl7fi:"));
        if found.iter().any(|(_, _, f)| may_be_extension(f))
            && let Some((known_only, mut warnings)) = self.declared.without_unknown(text)
        {
            match self.run(&known_only) {
                Ok(rest) => warnings.extend(self.place(&known_only, rest)),
                Err(finding) => warnings.push(finding),
            }
            return warnings;
        }
        self.place(text, found)
    }

    fn place(&self, text: &str, found: Vec<Unplaced>) -> Vec<Finding> {
        path::place_each(text, found, |node, finding| explain::explain(&self.model, node, finding))
    }

    /// One run of the validator. `Err`: libxml2 could not read the text and did not say why.
    fn run(&self, text: &str) -> Result<Vec<Unplaced>, Finding> {
        start_library();
        let unread = || {
            let place = tree::parse(text).err().map_or_else(Place::whole, |fault| Place { line: fault.line, column: fault.column, path: "/".to_owned() });
            Finding::new(Code::E103, place).with("rule", "a text that cannot be read to its end")
        };
        let length = c_int::try_from(text.len()).map_err(|_| Finding::whole(Code::E105))?;
        let mut tally = Tally::default();
        let tally_at: *mut c_void = (&raw mut tally).cast();
        let mut handler = SaxHandler::counting();
        // SAFETY: the schema lives as long as `self`; the buffer copies the text, and the validator frees the buffer; `handler` and `tally` outlive the
        // call, nothing else touches them during it, and the context that knows of them is freed before they are read.
        let verdict = unsafe {
            let context = xmlSchemaNewValidCtxt(self.compiled.as_ptr());
            let buffer = xmlParserInputBufferCreateMem(text.as_ptr().cast(), length, UTF8);
            if context.is_null() || buffer.is_null() {
                // Out of memory: the one case in which the other may leak.
                return Err(unread());
            }
            xmlSchemaSetValidStructuredErrors(context, Some(collect), tally_at);
            let verdict = xmlSchemaValidateStream(context, buffer, UTF8, &raw mut handler, tally_at);
            xmlSchemaFreeValidCtxt(context);
            verdict
        };
        match (verdict, tally.found.is_empty()) {
            (0, true) => Ok(Vec::new()),
            (_, false) => {
                let mut found = sentence::merge(tally.found);
                self.declared.name_types(&mut found);
                Ok(found)
            }
            (_, true) => Err(unread()),
        }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // SAFETY: made by `xmlSchemaParse`, owned by this value alone, and no validation can be running: each borrows `self`.
        unsafe { xmlSchemaFree(self.compiled.as_ptr()) }
    }
}

/// What one validation leaves behind: the faults, and in which element we are, counted from 0 in document order.
#[derive(Default)]
struct Tally {
    found: Vec<Unplaced>,
    seen: u32,
    open: Vec<u32>,
    closing: bool,
}

impl Tally {
    fn begin(&mut self) {
        self.settle();
        self.open.push(self.seen);
        self.seen = self.seen.saturating_add(1);
    }

    fn end(&mut self) {
        self.settle();
        self.closing = true;
    }

    /// The innermost open element, or the one so many levels above it.
    fn here(&self, above: usize) -> u32 {
        self.open.iter().rev().nth(above).copied().unwrap_or(0)
    }

    /// Our callback comes before the validator's own: an element stays open until the next event, so that what is found at its end belongs to it.
    fn settle(&mut self) {
        if std::mem::take(&mut self.closing) {
            self.open.pop();
        }
    }
}

extern "C" fn begin_element(
    tally: *mut c_void,
    _name: *const c_char,
    _prefix: *const c_char,
    _uri: *const c_char,
    _namespaces: c_int,
    _declared: *const *const c_char,
    attributes: c_int,
    _defaulted: c_int,
    values: *mut *const c_char,
) {
    // SAFETY: SAX2 gives five pointers an attribute (local name, prefix, namespace, begin and end of the value) in an array of the parser's own, which it
    // reads again only after this returns; names are null or zero-terminated. Only an end is moved to its own begin, and the parser frees by begins.
    unsafe { forget_locations(values, attributes) }
    // SAFETY: libxml2 hands back the pointer given with the handler, on the same thread, while the tally lives.
    if let Some(tally) = unsafe { tally.cast::<Tally>().as_mut() } {
        // Pushing may fail only for want of memory, which aborts; nothing here unwinds.
        tally.begin();
    }
}

/// Empties `xsi:schemaLocation` and `xsi:noNamespaceSchemaLocation`: libxml2 would fetch nothing (it cannot), but keep every location in the table of names of
/// the schema, which all threads share and no lock guards.
unsafe fn forget_locations(values: *mut *const c_char, attributes: c_int) {
    for at in 0..usize::try_from(attributes).unwrap_or(0) {
        // SAFETY: as the caller says.
        unsafe {
            let attribute = values.add(at * 5);
            let (name, namespace) = (*attribute, *attribute.add(2));
            if !namespace.is_null()
                && CStr::from_ptr(name).to_bytes().ends_with(b"chemaLocation")
                && CStr::from_ptr(namespace).to_bytes() == model::XSI.as_bytes()
            {
                *attribute.add(4) = *attribute.add(3);
            }
        }
    }
}

extern "C" fn end_element(tally: *mut c_void, _name: *const c_char, _prefix: *const c_char, _uri: *const c_char) {
    // SAFETY: as in `begin_element`.
    if let Some(tally) = unsafe { tally.cast::<Tally>().as_mut() } {
        tally.end();
    }
}

extern "C" fn collect(tally: *mut c_void, error: *const XmlError) {
    let _caught = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as in `begin_element`; the error and its message live until this returns.
        if let (Some(tally), Some(error)) = unsafe { (tally.cast::<Tally>().as_mut(), error.as_ref()) }
            && tally.found.len() < limits::FINDINGS
        {
            let mut found = sentence::finding(error.code, message_of(error), tally.here(0));
            if found.2.code == Code::E211 && tally.closing {
                // Text is told where it stands, and here that is behind a child that has just ended.
                found.0 = tally.here(1);
            }
            tally.found.push(found);
        }
    }));
}

extern "C" fn complain(complaints: *mut c_void, error: *const XmlError) {
    let _caught = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as in `collect`, with the vector that `compile` gave.
        if let (Some(complaints), Some(error)) = unsafe { (complaints.cast::<Vec<SchemaFault>>().as_mut(), error.as_ref()) } {
            // SAFETY: the file's name is null or a zero-terminated string that lives until this returns.
            let file = if error.file.is_null() { "".into() } else { unsafe { CStr::from_ptr(error.file) }.to_string_lossy() };
            complaints.push(SchemaFault {
                file: file.trim_start_matches(MEMORY).to_owned(),
                line: u32::try_from(error.line).unwrap_or(0),
                reason: String::from_utf8_lossy(message_of(error)).trim().replace(MEMORY, ""),
                is_warning: error.level == WARNING,
            });
        }
    }));
}

/// libxml2 writes to stderr where nobody listens, and its words quote values: here it may not.
extern "C" fn hush(_: *mut c_void, _: *const XmlError) {}

fn message_of(error: &XmlError) -> &[u8] {
    // SAFETY: null or a zero-terminated string that lives as long as the error.
    if error.message.is_null() { b"" } else { unsafe { CStr::from_ptr(error.message) }.to_bytes() }
}

/// How the files in memory are called towards libxml2; relative names inside them resolve against it.
const MEMORY: &str = "arkki:///";

thread_local! {
    /// The files that libxml2 may open on this thread: only during a compilation.
    static SHOWN: RefCell<Files> = const { RefCell::new(Files::new()) };
    static HUSHED: Cell<bool> = const { Cell::new(false) };
}

/// Shows the files to libxml2 until dropped.
struct Shown;

impl Shown {
    fn new(files: &Files) -> Self {
        SHOWN.set(files.iter().filter(|(name, _)| name.ends_with(".xsd")).map(|(name, octets)| (name.clone(), octets.clone())).collect());
        Self
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        SHOWN.set(Files::new());
    }
}

/// Once a process: start libxml2 and take its ways to files and the network away. Once a thread: make it silent.
fn start_library() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: called once, before any other call of this file has returned from here.
        unsafe {
            xmlInitParser();
            xmlCleanupInputCallbacks();
            xmlRegisterInputCallbacks(Some(memory_match), Some(memory_open), Some(memory_read), Some(memory_close));
        }
    });
    if !HUSHED.replace(true) {
        // SAFETY: libxml2 keeps this pair of pointers for the thread; the function is static.
        unsafe { xmlSetStructuredErrorFunc(ptr::null_mut(), Some(hush)) }
    }
}

/// A file that libxml2 reads.
struct Reading {
    octets: Vec<u8>,
    at: usize,
}

fn shown(name: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: libxml2 gives a zero-terminated name or null.
    let name = if name.is_null() { return None } else { unsafe { CStr::from_ptr(name) } };
    let name = name.to_str().ok()?.strip_prefix(MEMORY)?;
    SHOWN.with_borrow(|files| files.get(name).cloned())
}

extern "C" fn memory_match(_: *const c_char) -> c_int {
    1
}

extern "C" fn memory_open(name: *const c_char) -> *mut c_void {
    let octets = catch_unwind(AssertUnwindSafe(|| shown(name))).ok().flatten();
    octets.map_or(ptr::null_mut(), |octets| Box::into_raw(Box::new(Reading { octets, at: 0 })).cast())
}

extern "C" fn memory_read(reading: *mut c_void, buffer: *mut c_char, length: c_int) -> c_int {
    // SAFETY: the pointer is the one `memory_open` gave and `memory_close` has not taken back.
    let (Some(reading), Ok(length)) = (unsafe { reading.cast::<Reading>().as_mut() }, usize::try_from(length)) else { return -1 };
    let rest = reading.octets.get(reading.at..).unwrap_or_default();
    let piece = rest.get(..length).unwrap_or(rest);
    // SAFETY: libxml2's buffer has room for `length` octets and is not ours.
    unsafe { ptr::copy_nonoverlapping(piece.as_ptr(), buffer.cast(), piece.len()) };
    reading.at += piece.len();
    c_int::try_from(piece.len()).unwrap_or(-1)
}

extern "C" fn memory_close(reading: *mut c_void) -> c_int {
    if !reading.is_null() {
        // SAFETY: made by `memory_open` with `Box::into_raw`; libxml2 closes once.
        drop(unsafe { Box::from_raw(reading.cast::<Reading>()) });
    }
    0
}

/// `XML_ERR_WARNING`.
const WARNING: c_int = 1;
/// `XML_CHAR_ENCODING_UTF8`.
const UTF8: c_int = 1;
/// `XML_SAX2_MAGIC`: this handler knows namespaces.
const SAX2: u32 = 0xDEED_BEAF;

/// libxml2's `xmlError`.
#[repr(C)]
struct XmlError {
    domain: c_int,
    code: c_int,
    message: *const c_char,
    level: c_int,
    file: *const c_char,
    line: c_int,
    str1: *const c_char,
    str2: *const c_char,
    str3: *const c_char,
    int1: c_int,
    int2: c_int,
    context: *mut c_void,
    node: *mut c_void,
}

type OnStart = extern "C" fn(*mut c_void, *const c_char, *const c_char, *const c_char, c_int, *const *const c_char, c_int, c_int, *mut *const c_char);
type OnEnd = extern "C" fn(*mut c_void, *const c_char, *const c_char, *const c_char);
type OnError = extern "C" fn(*mut c_void, *const XmlError);

/// libxml2's `xmlSAXHandler`: 27 callbacks that Arkki leaves empty, the mark, and those for namespaces.
#[repr(C)]
struct SaxHandler {
    unused: [*const c_void; 27],
    initialized: u32,
    private: *mut c_void,
    on_start: Option<OnStart>,
    on_end: Option<OnEnd>,
    on_error: Option<OnError>,
}

impl SaxHandler {
    fn counting() -> Self {
        Self {
            unused: [ptr::null(); 27],
            initialized: SAX2,
            private: ptr::null_mut(),
            on_start: Some(begin_element),
            on_end: Some(end_element),
            on_error: Some(hush),
        }
    }
}

#[link(name = "xml2")]
unsafe extern "C" {
    fn xmlInitParser();
    fn xmlCleanupInputCallbacks();
    fn xmlRegisterInputCallbacks(
        matches: Option<extern "C" fn(*const c_char) -> c_int>,
        open: Option<extern "C" fn(*const c_char) -> *mut c_void>,
        read: Option<extern "C" fn(*mut c_void, *mut c_char, c_int) -> c_int>,
        close: Option<extern "C" fn(*mut c_void) -> c_int>,
    ) -> c_int;
    fn xmlSetStructuredErrorFunc(data: *mut c_void, handler: Option<OnError>);
    fn xmlSchemaNewParserCtxt(location: *const c_char) -> *mut c_void;
    fn xmlSchemaSetParserStructuredErrors(context: *mut c_void, handler: Option<OnError>, data: *mut c_void);
    fn xmlSchemaParse(context: *mut c_void) -> *mut c_void;
    fn xmlSchemaFreeParserCtxt(context: *mut c_void);
    fn xmlSchemaFree(schema: *mut c_void);
    fn xmlSchemaNewValidCtxt(schema: *mut c_void) -> *mut c_void;
    fn xmlSchemaSetValidStructuredErrors(context: *mut c_void, handler: Option<OnError>, data: *mut c_void);
    fn xmlParserInputBufferCreateMem(octets: *const c_char, length: c_int, encoding: c_int) -> *mut c_void;
    fn xmlSchemaValidateStream(context: *mut c_void, input: *mut c_void, encoding: c_int, handler: *mut SaxHandler, data: *mut c_void) -> c_int;
    fn xmlSchemaFreeValidCtxt(context: *mut c_void);
}
