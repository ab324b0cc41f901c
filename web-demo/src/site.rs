//! The files of the page, in memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

/// The files of a folder, as they were when it was read: nothing else can be asked for.
#[derive(Debug)]
pub(crate) struct Site {
    /// By path in a URL.
    files: BTreeMap<String, File>,
}

#[derive(Debug, Default)]
struct File {
    bytes: Bytes,
    /// What lay beside it as `NAME.gz`.
    gzip: Option<Bytes>,
}

impl Site {
    /// Reads a folder, which need not be there.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        if folder.is_dir() {
            read_into(&mut files, folder, "/")?;
        }
        let packed: Vec<String> =
            files.keys().filter(|path| path.ends_with(".gz")).cloned().collect();
        for path in packed {
            let (Some(gzip), Some(name)) = (files.remove(&path), path.strip_suffix(".gz")) else {
                continue;
            };
            if let Some(file) = files.get_mut(name) {
                file.gzip = Some(gzip.bytes);
            }
        }
        if let Some(index) = files.remove("/index.html") {
            files.insert("/".to_owned(), index);
        }
        Ok(Self { files })
    }

    /// Whether there is a page.
    pub(crate) fn is_built(&self) -> bool {
        self.files.contains_key("/")
    }

    /// The file of a path.
    pub(crate) fn get(&self, path: &str, gzip: bool) -> Option<Response<Bytes>> {
        let path = if path == "/index.html" { "/" } else { path };
        let Some(file) = self.files.get(path) else {
            return (path == "/").then(not_built);
        };
        let packed = file.gzip.as_ref().filter(|_| gzip);
        let mut response = Response::new(packed.unwrap_or(&file.bytes).clone());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime(path)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if file.gzip.is_some() {
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if packed.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Some(response)
    }
}

fn read_into(files: &mut BTreeMap<String, File>, folder: &Path, at: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            read_into(files, &entry.path(), &format!("{at}{name}/"))?;
        } else {
            let bytes = fs::read(entry.path())?.into();
            files.insert(format!("{at}{name}"), File { bytes, gzip: None });
        }
    }
    Ok(())
}

fn not_built() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(NOT_BUILT.as_bytes()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

const NOT_BUILT: &str = "<!doctype html><html lang=en><title>Not built</title>\
<h1>The page is not built</h1><p>The cluster and the bridge are up; the page is not. Stop this and run \
<code>./demo</code>, which builds it (it needs Node 20 and npm).";

fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        None | Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) => "application/octet-stream",
    }
}
