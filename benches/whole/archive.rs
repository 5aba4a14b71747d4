//! Homes whose log holds many whole orders, made once and kept.

use std::fs;
use std::path::{Path, PathBuf};

use milagro_dta::actors::log::EventLog;

use crate::kit::Home;
use crate::template::Template;

/// What the kept homes are made of: another format of log, views or seeds, or another recipe here, makes them anew.
const RECIPE: &str = "log2-seeds3-recipe1";
/// Orders of one commit and of one group of seeds.
const BATCH: usize = 128;

/// A home with this many orders, to be used up; what it is copied from is made if it is not there.
pub fn home(orders: usize) -> Home {
    let cache = std::env::var_os("DTA_CACHE").map_or_else(std::env::temp_dir, PathBuf::from);
    let kept = cache.join("bench").join(format!("{RECIPE}-{orders}"));
    if !kept.exists() {
        eprintln!("making a home with {orders} orders in {}", kept.display());
        let made = make(orders);
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        let aside = kept.with_extension("new");
        let _ = fs::remove_dir_all(&aside);
        copy(&made.path(), &aside);
        fs::rename(&aside, &kept).unwrap();
    }
    let home = Home::empty();
    copy(&kept, &home.path());
    home
}

/// A copy, in which the engine's files that never change are the same ones.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let to = to.join(name);
        if path.is_dir() {
            copy(&path, &to);
        } else if path.extension().is_none_or(|extension| extension != "sst")
            || fs::hard_link(&path, &to).is_err()
        {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn make(orders: usize) -> Home {
    let mut template = Template::make();
    let mut made = 1;
    while made < orders {
        let count = BATCH.min(orders - made);
        template.decide(made..made + count, &mut |log, appends| {
            for written in log.commit(appends).unwrap() {
                written.unwrap();
            }
        });
        made += count;
        if made % (BATCH * 80) < BATCH {
            eprintln!("{made} of {orders}");
        }
    }
    let home = template.into_home();
    // Its read models, and what the engine does once so much is written.
    home.start().stop();
    home
}
